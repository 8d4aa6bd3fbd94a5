import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parse } from '@cdktf/hcl2json';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { noteRunning } from '../../infra/local/local-context.ts';
import { startStack, type Stack } from '../../infra/local/stack.ts';
import { readManifest } from '../../shared/batch/manifest.ts';
import { root, run, withoutEmulators } from '../processes.ts';
import { serveCli, type ServedCli } from './served-cli.ts';
import { type CodeBlock, codeBlocks, pages, readPage } from './pages.ts';

/** In the order in which people read them: later guides use what earlier ones created. */
const guides = [
  'README.md',
  'docs/guides/javascript.md',
  'docs/guides/weekly-batch.md',
  'docs/guides/reading-results.md',
  'docs/guides/when-something-goes-wrong.md',
];

/** The output of a block, found by a part of its text. For every other block, only the exit code is checked. */
const prints: readonly (readonly [command: string, output: RegExp])[] = [
  [
    'submit infra/local/examples/{',
    /^(?:published {6}examples\/.* {2}ve1-\w{32}\n){3}(?:.|\n)*(?:^\d\d:\d\d:\d\d {2}SUCCEEDED (?:.|\n)*){3}/m,
  ],
  ['ee-video-exports list\n', /^STATE (?:.|\n)*^ *History/m],
  ['node docs/guides/javascript.mjs', /^ve1-\w{32} SUCCEEDED https:.*africa-2021/m],
  [
    'batch plan',
    /^weekly-ndvi@2026-11-23: 3 jobs\n +3 {2}would be started +first: weekly-ndvi\/2026-11-23\/sahel/,
  ],
  ['batch run', /3 of 3 ended {2}SUCCEEDED 3/],
  [
    'stats --by batch',
    /^SUCCEEDED .* weekly-ndvi\/2026-11-23\/alps(?:.|\n)*^weekly-ndvi@2026-11-23 +3 +3 +0 +0/m,
  ],
  ['retry --batch weekly-ndvi@2026-11-23 --dry-run', /^0 jobs would be retried/m],
  ['cancel --batch', /^canceling batch weekly-ndvi@/m],
  ['show africa-ndvi/2021', /^SUCCEEDED {2}africa-ndvi\/2021\n {2}record +ve1-(?:.|\n)*^MONTH/m],
  ['reading-results.mjs', /^succeeded: 3$/m],
  [':runQuery', /"stringValue": "SUCCEEDED"/],
  [
    'submit docs/guides/broken-job.json',
    /INVALID_JOB\n {2}request\.videoOptions\.framesPerSecond: found 500(?:.|\n)*fileFormat(?:.|\n)*bucket/,
  ],
  ['subscriptions pull', /weekly-ndvi\/2026-11-30/],
  ['dead-letters replay', /^\d+ {2}would be published again {2}video-export-jobs {2}ve1-\w{32}$/m],
  ['ee-video-exports doctor', /^ok +Topics .*(?:.|\n)*No problems found/m],
  ['submit docs/guides/trouble-job.json', /^published +examples\/trouble/m],
  ['watch examples/trouble', /^The next poll tries 1 job(?:.|\n)* FAILED /m],
  ['trouble --request', /^FAILED {2}examples(?:.|\n)*History(?:.|\n)*"fileFormat": "MP4"/m],
  ['retry examples/trouble', /^1 job would be retried/m],
];

let stack: Stack;
let environment: Record<string, string | undefined>;
let tools: string;
let cli: ServedCli;
const problems: Error[] = [];

/** The service needs a moment for these, and the page says so: the block is repeated until it prints this. */
const afterAMoment: ReadonlyMap<string, RegExp> = new Map([
  ['npx ee-video-exports show examples/trouble\n', /^WAITING {2}examples\/trouble(?:.|\n)*^ +fix +\S/m],
  [
    'npx ee-video-exports download examples/las-vegas/2000-2020 --to build/videos\n',
    /^build\/videos\/examples-las-vegas-2000-2020\.mp4 {2}\d+ bytes$/m,
  ],
  [
    'npx ee-video-exports download --batch weekly-ndvi@2026-11-23 --to build/videos\n',
    /^(?:build\/videos\/weekly-ndvi-2026-11-23-[a-z]+\.mp4 {2}\d+ bytes\n){3}/m,
  ],
]);

/**
 * A fast replacement: npx takes a second to find a command in this folder. One test below runs the real npx, and test/cli runs the
 * command line as a process.
 */
const quickNpx = (cli: string) => `#!/bin/sh
case $1 in
  node) shift; exec "${process.execPath}" "$@" ;;
  ee-video-exports) shift; exec "${cli}" "$@" ;;
esac
echo "the guides' npx does not know $1" >&2
exit 127
`;

beforeAll(async () => {
  stack = await startStack({
    project: `demo-guides-${process.pid}`,
    simulator: { pendingMs: 0, runMs: [200, 400], startsPerSecond: 100, concurrency: 20 },
    // As npm start does: videos are written to simulated buckets.
    deliveries: [],
    pollEveryMs: 250,
    onProblem: (problem) => problems.push(problem),
  });
  tools = await mkdtemp(join(tmpdir(), 'guides-'));
  cli = await serveCli(tools);
  await writeFile(join(tools, 'npx'), quickNpx(cli.file));
  await chmod(join(tools, 'npx'), 0o755);
  // In this process, Google's clients read the emulators' variables that all of these tests have.
  for (const [name, value] of Object.entries(stack.environment)) {
    vi.stubEnv(name, value);
  }
  // Without exports, as in any terminal of a user who ran npm start.
  environment = {
    ...withoutEmulators,
    XDG_CONFIG_HOME: tools,
    GOOGLE_CLOUD_PROJECT: undefined,
    PATH: `${tools}:${process.env['PATH']}`,
  };
  await noteRunning(environment, {
    environment: stack.environment,
    pid: process.pid,
    folder: root,
  });
}, 60_000);

afterAll(async () => {
  vi.unstubAllEnvs();
  await cli[Symbol.asyncDispose]();
  await stack.stop();
  await rm(tools, { recursive: true });
});

/** Needs Google Cloud or a browser. */
const isForTheCloud = ({ text }: CodeBlock): boolean =>
  /print-access-token|auth application-default/.test(text);

/** Tests in test/infra/local run README's other blocks, which start and stop the stack. */
const shellBlocks = guides
  .flatMap(codeBlocks)
  .filter(
    ({ language, page, text }) => language === 'sh' && (page !== 'README.md' || text.startsWith('npx ')),
  );

describe('a block of a guide runs', () => {
  it.each(
    shellBlocks
      .filter((block) => !isForTheCloud(block))
      .map((block) => [`${block.page}: ${block.text.trim()}`, block] as const),
  )(
    '%s',
    async (_name, { text, exitCode }) => {
      const awaited = afterAMoment.get(text);
      const runBlock = async (): Promise<void> => {
        const shell = run('bash', ['-ec', text], environment);
        const code = await shell.closed;
        expect(code, shell.output()).toBe(exitCode);
        expect(shell.output()).not.toMatch(/^ {4}at /m);
        for (const [command, output] of prints) {
          if (text.includes(command)) {
            expect(shell.output()).toMatch(output);
          }
        }
        if (awaited) {
          expect(shell.output()).toMatch(awaited);
        }
      };
      await (awaited ? vi.waitFor(runBlock, { timeout: 30_000, interval: 250 }) : runBlock());
    },
    60_000,
  );

  it('npx finds the command line in this folder, and its Node version', async () => {
    const help = run('npx', ['ee-video-exports', 'submit', '--help']);
    expect(await help.closed, help.output()).toBe(0);
    expect(help.output()).toContain('Usage: ee-video-exports submit');
  });

  it('every expected output belongs to an existing block', () => {
    const unknown = [...prints, ...afterAMoment].filter(
      ([command]) => !shellBlocks.some(({ text }) => text.includes(command)),
    );
    expect(unknown).toEqual([]);
  });

  it('no function reported a problem', () => {
    expect(problems).toEqual([]);
  });
});

describe('a command that needs Google Cloud is accepted by the tool that checks it', () => {
  // OPERATIONS also names commands without their arguments.
  const texts = pages.filter((page) => page !== 'infra/OPERATIONS.md').map(readPage);
  /** A command ends with its line, or with the end of the substitution that contains it. */
  const commands = texts.flatMap((text) =>
    [...text.replaceAll(/\\\n\s*/g, ' ').matchAll(/(?<=^|`|\$\()gcloud [a-z-]+ (?!command)[^`\n]*/gm)].map(
      ([command]) =>
        command
          .replace(/ +# .*$/, '')
          .replace(/^(gcloud auth print-access-token)\).*$/, '$1')
          .replaceAll(/"\$\([^)]*\)"/g, 'x')
          .replaceAll(/\$\(date [^)]*\)/g, 'x')
          .replaceAll(/\$\w+/g, 'x')
          .trim(),
    ),
  );

  it('gcloud', async () => {
    expect(commands.length).toBeGreaterThan(5);
    const file = join(tools, 'commands.json');
    await writeFile(
      file,
      JSON.stringify([...new Set(commands)].map((command) => ({ command_string: command }))),
    );
    const { stdout, stderr } = spawnSync(
      'gcloud',
      ['meta', 'lint-gcloud-commands', `--commands-file=${file}`],
      {
        encoding: 'utf8',
      },
    );
    const results = JSON.parse(stdout || '[]') as {
      command_string: string;
      success: boolean;
      error_message: string | null;
    }[];
    expect(results, stderr).toHaveLength(new Set(commands).size);
    const wrong = results.filter(({ success }) => !success);
    expect(wrong.map((each) => `${each.command_string}: ${each.error_message}`)).toEqual([]);
  });

  it('bash', () => {
    for (const { text } of shellBlocks.filter(isForTheCloud)) {
      expect(spawnSync('bash', ['-n', '-c', text], { encoding: 'utf8' }).stderr).toBe('');
    }
  });

  it('Terraform: a schedule of the guide names an existing manifest', async () => {
    const block = codeBlocks('docs/guides/weekly-batch.md').find(({ language }) => language === 'hcl');
    const parsed = (await parse('guide.tf', `locals {\n${block?.text}}`)) as {
      locals: [{ schedules: Record<string, { cron: string; manifest: string }> }];
    };
    const [{ manifest, cron } = { manifest: '', cron: '' }] = Object.values(parsed.locals[0].schedules);
    expect(cron).toMatch(/^(?:\S+ ){4}\S+$/);
    const json: unknown = JSON.parse(readFileSync(join(root, 'infra', manifest), 'utf8'));
    expect(readManifest(json, new Date('2026-11-23'))).toHaveProperty(
      'manifest.id',
      'weekly-ndvi@2026-11-23',
    );
  });
});
