import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { readStack, root } from './stack.ts';

/** Commands in the guides of infra/ refer to things that exist. */

const read = (file: string) => readFile(join(root, file), 'utf8');
const [readme, operations, outputs, deployer] = (await Promise.all(
  ['infra/README.md', 'infra/OPERATIONS.md', 'infra/outputs.tf', 'infra/deployer.tf'].map(read),
)) as [string, string, string, string];
const guides = readme + operations;
const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
const stack = await readStack();

const all = (text: string, pattern: RegExp) => [
  ...new Set([...text.matchAll(pattern)].map(([, name]) => name ?? '')),
];

describe('the guides of infra/', () => {
  it('lead to the first video in at most eight steps, each with commands, the output, and the likely error', () => {
    const rows = readme.split('\n').filter((line) => /^\| \d\. /.test(line));
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.length).toBeLessThanOrEqual(8);
    for (const row of rows) {
      const [, commands = '', output = '', error = ''] = row.slice(2, -2).split(' | ');
      expect(commands).toContain('`');
      expect(output).not.toBe('');
      expect(error.length).toBeGreaterThan(20);
    }
  });

  it('name outputs, resources, and scripts that exist', () => {
    const declared = all(outputs + deployer, /^output "(\w+)"/gm);
    expect(declared).toEqual(expect.arrayContaining(all(guides, /-chdir=infra output (?:-raw )?(\w+)/g)));

    const addresses = all(guides, /module\.exports\.(google_\w+\.\w+)/g);
    expect(addresses.length).toBeGreaterThan(3);
    expect(Object.keys(stack.resources)).toEqual(expect.arrayContaining(addresses));

    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(all(guides, /npm run ([\w:-]+)/g)));
  });

  it('name triggers that exist', () => {
    const triggers = all(deployer, /name +?= "(video-export-(?:verify|deploy))"/g);
    expect(triggers).toEqual(expect.arrayContaining(all(guides, /builds triggers run ([\w-]+)/g)));
  });

  it('start from settings without the name of a person or group', async () => {
    const example = await read('infra/terraform.tfvars.example');
    expect(example.split('\n').filter((line) => line.includes('@') && !line.startsWith('#'))).toEqual([]);
  });
});
