import { globSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { withStates } from '../../docs/generate/state-diagram.ts';
import { edges } from '../../shared/record/edges.ts';
import { recordStates, terminalStates } from '../../shared/model/record.ts';
import { root } from '../processes.ts';
import { codeBlocks, readPage, sectionOf } from './pages.ts';

const page = 'shared/README.md';
const diagram = codeBlocks(page).find(({ text }) => text.startsWith('stateDiagram-v2'))?.text ?? '';

/** The arrows: one that starts or ends at a box counts for each state in it. */
function arrowsIn(text: string): string[] {
  const boxes = new Map(
    [...text.matchAll(/state "[^"]*" as (\w+) \{\n([^}]*)\}/g)].map(([, name = '', states = '']) => [
      name,
      states.trim().split(/\s+/),
    ]),
  );
  return [...text.matchAll(/^ {2}(\S+) --> (\S+): (\w+)$/gm)].flatMap(([, from = '', to = '', transition]) =>
    (boxes.get(from) ?? [from]).flatMap((a) => (boxes.get(to) ?? [to]).map((b) => `${a} ${transition} ${b}`)),
  );
}

describe('the state diagram', () => {
  it('has exactly the transitions of the code, each once', () => {
    const wanted = edges.map(
      ([from, transition, to]) => `${from === 'NEW' ? '[*]' : from} ${transition} ${to}`,
    );
    expect(arrowsIn(diagram).toSorted()).toEqual(wanted.toSorted());
  });

  it('is what npm run docs generates', () => {
    expect(readPage(page)).toBe(withStates(readPage(page), edges));
  });

  it('has every state, and ends in the final ones', () => {
    for (const state of recordStates) {
      expect(diagram).toMatch(new RegExp(`\\b${state}\\b`));
    }
    expect([...diagram.matchAll(/(\w+) --> \[\*\]/g)].map(([, state]) => state)).toEqual(terminalStates);
  });

  it('would show a new transition', () => {
    const more = withStates(readPage(page), [...edges, ['WAITING', 'forget', 'LOST']]);
    expect(arrowsIn(more)).toContain('WAITING forget LOST');
  });
});

describe('the rules and steps', () => {
  const sources = globSync('{functions,shared,cli,infra,test}/**/*.ts', { cwd: root }).map(readPage);
  /** The numbers of the list below a heading, in order. */
  const numbersUnder = (inPage: string, heading: string): number[] =>
    [...sectionOf(inPage, heading).matchAll(/^(\d+)\. \*\*\S/gm)].map(([, number]) => Number(number));
  const rulesThere = numbersUnder(page, 'Rules');
  const submitSteps = numbersUnder('docs/design.md', 'From a message to an operation');
  const pollSteps = numbersUnder('docs/design.md', 'A poll');
  const named = (pattern: RegExp): Set<number> =>
    new Set(sources.flatMap((text) => [...text.matchAll(pattern)].map(([, number]) => Number(number))));

  it('are numbered from 1 without a gap', () => {
    for (const numbers of [rulesThere, submitSteps, pollSteps]) {
      expect(numbers.length).toBeGreaterThan(0);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    }
  });

  it('that comments and tests mention exist', () => {
    const rules = named(/\brule (\d+)\b/g);
    expect(rules.size).toBeGreaterThan(10);
    expect([...rules].filter((rule) => !rulesThere.includes(rule))).toEqual([]);
    const steps = named(/\b[Ss]teps? (?:\d+ (?:and|to) )?(\d+) of (?:the design|submit)\b/g);
    expect(steps.size).toBeGreaterThan(0);
    expect([...steps].filter((step) => !submitSteps.includes(step))).toEqual([]);
  });
});
