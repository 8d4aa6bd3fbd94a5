import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { parseStates } from '../../cli/options.ts';
import { recordStates } from '../../shared/model/record.ts';
import { exitCodeMeanings, exitCodes } from '../../cli/exit-codes.ts';
import { root } from '../processes.ts';
import { createRig } from './rig.ts';

const commands = [
  [],
  ['submit'],
  ['list'],
  ['show'],
  ['open'],
  ['watch'],
  ['stats'],
  ['batch', 'plan'],
  ['batch', 'run'],
  ['batch', 'list'],
  ['batch', 'show'],
  ['cancel'],
  ['retry'],
  ['resume'],
  ['dead-letters', 'list'],
  ['dead-letters', 'replay'],
  ['doctor'],
  ['context', 'list'],
  ['context', 'use'],
  ['context', 'env'],
  ['completion'],
  ['simulate'],
];

describe('--help', () => {
  it.each(commands.map((command) => [command]))(
    '%s: examples, the common options, 80 columns',
    async (command) => {
      const { code, out } = await createRig().run(...command, '--help');
      expect(code).toBe(0);
      expect(out).toMatch(/Examples:\n {2}\$ ee-video-exports /);
      expect(out).toContain('--json');
      expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
    },
  );

  it('without a command lists every command and exit code', async () => {
    const { out } = await createRig().run('--help');
    for (const [command = ''] of commands.slice(1)) {
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    for (const code of Object.values(exitCodes)) {
      expect(out).toContain(`${code}  ${exitCodeMeanings[code].slice(0, 20)}`);
    }
  });

  it('has only examples that the command line accepts', async () => {
    const { out } = await createRig().run('--help');
    const helps = [out];
    for (const command of commands.slice(1)) {
      helps.push((await createRig().run(...command, '--help')).out);
    }
    const examples = helps.join('\n').matchAll(/^ {2}\$ ee-video-exports (.*)$/gm);
    let count = 0;
    for (const [, text = ''] of examples) {
      count += 1;
      if (text.startsWith('completion')) {
        // It writes to standard output itself; a test of the process runs it.
        continue;
      }
      const args = text.replace(/ [<>] \S+$/, '').split(' ');
      const { err } = await createRig({
        connect: () => ({
          config: () => Promise.reject(new Error('accepted')),
          store: () => Promise.reject(new Error('accepted')),
          services: () => Promise.reject(new Error('accepted')),
        }),
      }).run(...args);
      expect(err, text).not.toMatch(/unknown|missing required|is invalid/);
    }
    expect(count).toBeGreaterThan(15);
  });

  it('loads neither actions nor clients', () => {
    const loaded = execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { registerHooks } from 'node:module';
         registerHooks({ resolve(name, context, next) { const found = next(name, context); console.log(found.url); return found; } });
         process.argv.push('--help');
         const { main } = await import('${join(root, 'cli/main.ts')}');
         await main(['--help']);`,
      ],
      { encoding: 'utf8' },
    );
    expect(loaded).toContain('commander');
    expect(loaded).not.toMatch(/cli\/actions|node_modules\/(?:@google-cloud|google-auth-library|zod|@grpc)/);
  });
});

describe('help', () => {
  it.each([[['help', 'list']], [['help', 'batch']], [['batch', 'help', 'run']]])('%s', async (args) => {
    const { code, out } = await createRig().run(...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^Usage: ee-video-exports (?:list|batch)/);
  });
});

describe('a mistake in the arguments', () => {
  it.each([
    [['lsit', '--json'], "unknown command 'lsit' (Did you mean list?)"],
    [['list', '--format=json', '--sate', 'x'], /^unknown option '--sate'/],
    [['list', '--format', 'json', '--limit', '0'], /Use a whole number/],
    [['submit', '--json'], "missing required argument 'FILE'"],
  ])('is JSON if results are: %s', async (args, message) => {
    const { code, out, err } = await createRig().run(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    const { error } = JSON.parse(err) as { error: { code: string; message: string } };
    expect(error.code).toBe('ARGUMENTS_WRONG');
    expect(error.message).toMatch(message);
  });
});

describe('options', () => {
  it('include every state of a record', () => {
    expect(parseStates(recordStates.join())).toEqual(recordStates);
  });
});

describe('an older Node.js', () => {
  it('gets an error message with what to do', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '--import',
        `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.1.0' })`,
        join(root, 'cli/ee-video-exports.ts'),
        'list',
      ],
      { encoding: 'utf8' },
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^ee-video-exports needs Node\.js 24, and this is .*run npm ci once and then npx ee-video-exports/,
    );
  });
});
