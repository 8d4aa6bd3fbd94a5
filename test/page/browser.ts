import chromium from '@sparticuz/chromium';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core';

/**
 * A Chromium from an npm package, so that nothing needs installing. Its first start unpacks it to a temporary folder, which takes
 * some seconds. Its own arguments are for AWS Lambda, and turn off what these tests check.
 */
export async function startBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    headless: true,
    args: [
      '--no-sandbox',
      '--headless=shell',
      '--hide-scrollbars',
      '--mute-audio',
      '--font-render-hinting=none',
    ],
  });
}

/** A page in a browser, and everything that should not happen on it. */
export interface Visit extends AsyncDisposable {
  readonly tab: Page;
  /** Errors in the console, uncaught errors, and requests to other hosts. */
  readonly problems: readonly string[];
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-US',
    timezoneId: 'Europe/Berlin',
    ...options,
  });
  const tab = await context.newPage();
  const problems: string[] = [];
  const { origin } = new URL(url);
  tab.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      problems.push(message.text());
    }
  });
  tab.on('pageerror', (error) => problems.push(String(error.stack)));
  tab.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  tab.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) {
      problems.push(`request to ${request.url()}`);
    }
  });
  await tab.goto(url);
  return { tab, problems, [Symbol.asyncDispose]: () => context.close() };
}

/** By how many pixels the page is wider than the window. */
export const overflowOf = (tab: Page): Promise<number> =>
  tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/** Violations of WCAG 2.2 AA that axe finds, as `rule: elements`. */
export async function accessibilityProblems(tab: Page): Promise<string[]> {
  // axe is 500 kB, and stays in the tab until it loads another page.
  if (!(await tab.evaluate(() => 'axe' in globalThis))) {
    await tab.evaluate(axe.source);
  }
  return tab.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } };
    const { violations } = await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ html }) => html).join(' ')}`.slice(0, 400),
    );
  });
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** How long a change may take to appear. */
const LIVE_MS = 2000;
/** On a busy machine, a single change can take longer although the page is fast. */
const CHANGES = 5;
/** However busy the machine is, a change appears. */
export const SHOWN_MS = 15_000;

/**
 * Makes changes, one after the other, until one of them appears within two seconds. The browser itself notes when it does.
 *
 * @throws if none of five does, or one does not appear at all
 */
export async function appearsInTime(
  tab: Page,
  textOf: (n: number) => string,
  change: (n: number) => Promise<unknown>,
): Promise<void> {
  const took: number[] = [];
  for (let n = 0; n < CHANGES; n += 1) {
    const text = textOf(n);
    if ((await tab.locator('main').textContent())?.includes(text)) {
      throw new Error(`the page shows ${text} already`);
    }
    const startedAt = Date.now();
    await change(n);
    const shown = await tab.waitForFunction(
      (expected) => document.querySelector('main')?.textContent?.includes(expected) && Date.now(),
      text,
      { timeout: SHOWN_MS },
    );
    const ms = Number(await shown.jsonValue()) - startedAt;
    if (ms <= LIVE_MS) {
      return;
    }
    took.push(ms);
  }
  throw new Error(`changes took ${took.join(', ')} ms to appear`);
}

/** The index of the row whose link has the focus. */
export const focusedRow = (tab: Page): Promise<string> =>
  tab.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['link'] ?? '');
