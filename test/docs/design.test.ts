import { describe, expect, it } from 'vitest';

import { withStates } from '../../infra/docs/state-diagram.ts';
import { edges } from '../../shared/record/edges.ts';
import { recordStates, terminalStates } from '../../shared/record/record.ts';
import { codeBlocks, readPage } from './pages.ts';

const page = 'docs/design.md';
const diagram = codeBlocks(page).find(({ text }) => text.startsWith('stateDiagram-v2'))?.text ?? '';

/** The arrows as a reader understands them: one at a box is one at each state in it. */
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
  it("has the code's transitions, each once, and no other", () => {
    const wanted = edges.map(
      ([from, transition, to]) => `${from === 'NEW' ? '[*]' : from} ${transition} ${to}`,
    );
    expect(arrowsIn(diagram).toSorted()).toEqual(wanted.toSorted());
  });

  it('is what npm run docs makes of them', () => {
    expect(readPage(page)).toBe(withStates(readPage(page), edges));
  });

  it('has every state, and ends in the final ones', () => {
    for (const state of recordStates) expect(diagram).toMatch(new RegExp(`\\b${state}\\b`));
    expect([...diagram.matchAll(/(\w+) --> \[\*\]/g)].map(([, state]) => state)).toEqual(terminalStates);
  });

  it('would show a transition that is new', () => {
    const more = withStates(readPage(page), [...edges, ['WAITING', 'forget', 'LOST']]);
    expect(arrowsIn(more)).toContain('WAITING forget LOST');
  });
});
