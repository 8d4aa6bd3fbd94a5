import { texts } from '../texts.ts';
import type { View } from '../views/view.ts';
import { BatchPage } from './batch.tsx';
import { BatchesPage } from './batches.tsx';
import { ExportPage } from './export.tsx';
import { ExportsPage } from './exports.tsx';
import { OverviewPage } from './overview.tsx';
import { ProblemPage } from './problem.tsx';

export type LiveState = 'live' | 'connecting' | 'polling' | 'paused';

export interface Frame {
  /** The Google Cloud project. */
  readonly project: string;
  /** When the view was made. */
  readonly now: string;
  /** Which changes the view contains. */
  readonly version: number;
  readonly view: View;
}

const sections = [
  ['overview', '/', ['overview']],
  ['exports', '/exports', ['exports', 'export']],
  ['batches', '/batches', ['batches', 'batch']],
] as const;

export function App({
  project,
  view,
  live,
}: {
  readonly project: string;
  readonly view: View;
  readonly live?: LiveState;
}) {
  return (
    <>
      <a class="skip" href="#main">
        {texts.skip}
      </a>
      <header class="top">
        <a class="brand" href="/">
          <Mark />
          <span>{texts.product}</span>
        </a>
        <nav aria-label={texts.nav.label}>
          {sections.map(([name, path, kinds]) => (
            <a
              key={name}
              href={path}
              {...((kinds as readonly string[]).includes(view.kind)
                ? { 'aria-current': 'page' as const }
                : {})}
            >
              {texts.nav[name]}
            </a>
          ))}
        </nav>
        <span class="project">{project}</span>
        {live && (
          <span class={`live live-${live}`} role="status" title={texts.live.meaning[live]}>
            <span class="dot" aria-hidden="true" />
            {texts.live[live]}
          </span>
        )}
      </header>
      <main id="main" tabIndex={-1} class={`page-${view.kind}`}>
        <Page view={view} />
      </main>
    </>
  );
}

function Page({ view }: { readonly view: View }) {
  switch (view.kind) {
    case 'overview':
      return <OverviewPage view={view} />;
    case 'exports':
      return <ExportsPage view={view} />;
    case 'export':
      return <ExportPage view={view} />;
    case 'batches':
      return <BatchesPage view={view} />;
    case 'batch':
      return <BatchPage view={view} />;
    case 'problem':
      return <ProblemPage view={view} />;
  }
}

export function titleOf(view: View): string {
  return `${pageTitle(view)} · ${texts.product}`;
}

function pageTitle(view: View): string {
  switch (view.kind) {
    case 'export':
      return view.row.name.slice(0, 80).toWellFormed();
    case 'batch':
      return view.id.slice(0, 80).toWellFormed();
    case 'problem':
      return texts.problem[view.status].title;
    case 'overview':
    case 'exports':
    case 'batches':
      return texts[view.kind].title;
  }
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <circle cx="12" cy="12" r="10" class="mark-globe" />
      <path d="M2.6 9.5h18.8M2.6 14.5h18.8M12 2c-6 6-6 14 0 20" class="mark-lines" />
      <path d="M10 8.2v7.6l6.4-3.8z" class="mark-play" />
    </svg>
  );
}
