import { type Hole, holesOf, type Template } from './template.ts';

/**
 * The holes in a template's expression whose values can change the graph's structure or make it invalid: all except those
 * within a `constantValue`, on whose content no other node depends. A graph is checked once for all jobs that have the same
 * values in these holes. Whatever is not one of Earth Engine's nodes is treated as structural, so that nothing is left
 * unchecked.
 */
export function* structuralHoles(expression: Template): Generator<Hole> {
  if (expression.kind !== 'object') {
    yield* holesOf(expression);
    return;
  }
  for (const [name, part] of expression.fields) {
    if (name === 'values' && part.kind === 'object') {
      for (const node of part.fields.values()) {
        yield* holesOfNode(node);
      }
    } else {
      yield* holesOf(part);
    }
  }
}

function* holesOfNode(node: Template): Generator<Hole> {
  const [kind, content] = (node.kind === 'object' && node.fields.size === 1 ? [...node.fields] : [])[0] ?? [];
  if (kind === 'constantValue' && content && levelsOf(content) <= MAX_CONSTANT_LEVELS) {
    return;
  }
  const nodes = kind === undefined ? undefined : membersField.get(kind);
  if (nodes === undefined || content?.kind !== 'object') {
    yield* holesOf(node);
    return;
  }
  for (const [name, part] of content.fields) {
    if (name === nodes && part.kind === 'object') {
      for (const member of part.fields.values()) {
        yield* holesOfNode(member);
      }
    } else if (name === nodes && part.kind === 'array') {
      for (const item of part.items) {
        yield* holesOfNode(item);
      }
    } else {
      yield* holesOf(part);
    }
  }
}

/** The field of a node that holds other nodes. */
const membersField: ReadonlyMap<string, string> = new Map([
  ['arrayValue', 'values'],
  ['dictionaryValue', 'values'],
  ['functionInvocationValue', 'arguments'],
]);

/** A constant may have 500 levels, and a value that is filled in may have 100 of them. */
const MAX_CONSTANT_LEVELS = 399;

/** Levels above the deepest hole. */
function levelsOf(template: Template): number {
  switch (template.kind) {
    case 'constant':
    case 'value':
    case 'text':
      return 0;
    case 'array':
      return 1 + deepest(template.items);
    case 'object':
      return 1 + deepest(template.fields.values());
  }
}

function deepest(templates: Iterable<Template>): number {
  let levels = 0;
  for (const template of templates) {
    levels = Math.max(levels, levelsOf(template));
  }
  return levels;
}
