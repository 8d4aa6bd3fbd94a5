import type { Edge } from '../../shared/record/edges.ts';
import { activeStates, recordStates, terminalStates, submissionStates } from '../../shared/model/record.ts';

/** A box of the diagram: an arrow at the box stands for an arrow at each state in it. */
interface Box {
  readonly name: string;
  readonly title: string;
  readonly states: readonly string[];
}

const boxes: readonly Box[] = [
  { name: 'InSubmission', title: 'no operation is known', states: submissionStates },
  { name: 'AtEarthEngine', title: 'Earth Engine has it', states: activeStates },
];

type Pair = readonly [from: string, to: string];

/** The state machine as a mermaid diagram. An arrow for each edge would be unreadable, so boxes share arrows. */
export function renderStateDiagram(edges: readonly Edge[]): string {
  const transitions = [...new Set(edges.map(([, transition]) => transition))];
  const arrows = transitions.flatMap((transition) => {
    const pairs = edges
      .filter((edge) => edge[1] === transition)
      .map(([from, , to]): Pair => [nameOf(from), to]);
    return shared(pairs).map(([from, to]) => `  ${from} --> ${to}: ${transition}`);
  });
  return [
    'stateDiagram-v2',
    ...boxes.flatMap(({ name, title, states }) => [
      `  state "${title}" as ${name} {`,
      ...states.map((state) => `    ${state}`),
      '  }',
    ]),
    ...arrows,
    ...terminalStates.map((state) => `  ${state} --> [*]`),
  ].join('\n');
}

const nameOf = (state: string): string => (state === 'NEW' ? '[*]' : state);

/** As few arrows as the boxes allow. An arrow from a box to itself cannot be drawn. */
function shared(pairs: readonly Pair[]): Pair[] {
  const left = new Map(pairs.map((pair) => [pair.join(), pair]));
  const arrows: Pair[] = [];
  const sources = [...boxes, ...['[*]', ...recordStates].map(single)];
  const targets = [...boxes, ...recordStates.map(single)];
  for (const from of sources) {
    for (const to of targets) {
      const all = from.states.flatMap((a) => to.states.map((b): Pair => [a, b]));
      const isDrawn =
        from.name === to.name ? from.states.length === 1 : !isWithin(from, to) && !isWithin(to, from);
      if (!isDrawn || !all.every((pair) => left.has(pair.join()))) {
        continue;
      }
      arrows.push([from.name, to.name]);
      for (const pair of all) {
        left.delete(pair.join());
      }
    }
  }
  return arrows;
}

const single = (state: string): Box => ({ name: state, title: state, states: [state] });
const isWithin = (inner: Box, outer: Box): boolean =>
  inner.states.length < outer.states.length && inner.states.every((state) => outer.states.includes(state));

const drawn = /^(<!-- states -->\n)(?:\n```mermaid\n.*?^```\n)?/gms;

/** Returns the page with the diagram below its line. */
export const withStates = (text: string, edges: readonly Edge[]): string =>
  text.replaceAll(
    drawn,
    (_whole, line: string) => `${line}\n\`\`\`mermaid\n${renderStateDiagram(edges)}\n\`\`\`\n`,
  );
