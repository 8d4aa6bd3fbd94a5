import { createIssueList } from '../issues.ts';
import { isJsonObject } from '../json.ts';
import type { Issue } from '../model/rejected-message.ts';
import type { Manifest } from './manifest.ts';
import { structuralHoles } from './graph-holes.ts';
import { type Cell, createNames, type Names, type Source } from './names.ts';
import {
  compileTemplate,
  fill,
  fillShape,
  type Hole,
  holesOf,
  segmentsOf,
  type Template,
} from './template.ts';

/**
 * The jobs of a manifest, each made only when needed: what they share is held once, so an expansion of 100,000 jobs takes no
 * more memory than its manifest. Jobs are numbered from 0, with the last axis changing fastest.
 */
export interface Expansion {
  readonly manifest: Manifest;
  readonly jobs: number;
  readonly names: Names;
  /** Every hole of the template. */
  readonly holes: readonly Hole[];
  /** Whether each hole has a value in this combination that can be inserted there. */
  canFill(job: number): boolean;
  /** The job message as bytes. This method and those below are valid only for jobs that `canFill`. */
  message(job: number): Uint8Array;
  /** The length of `message`, without making it. */
  messageBytes(job: number): number;
  /** The job message as JSON data. */
  json(job: number): unknown;
  /** The same with an empty expression instead of the graph, unless the whole request is a hole. */
  fieldsJson(job: number): unknown;
  /** The expression, and a key that jobs share if their graphs are equally valid. */
  graph(job: number): Graph | undefined;
  /** The index of the job's value on each axis. */
  combination(job: number): readonly number[];
}

interface Graph {
  readonly key: string;
  expression(): unknown;
  /** The expression with null for each constant in which these jobs differ. */
  shape(): unknown;
}

export function createExpansion(manifest: Manifest): Expansion | { readonly issues: Issue[] } {
  const issues = createIssueList();
  const job = compileTemplate(manifest.job, ['job'], issues);
  if (issues.count > 0) {
    return { issues: issues.list() };
  }
  const message = withField(job, 'batchId', { kind: 'constant', value: manifest.id });
  const expression = fieldOf(fieldOf(message, 'request'), 'expression');
  const fields = expression ? withoutExpression(message) : message;
  return expand(manifest, { message, expression, fields });
}

interface Templates {
  readonly message: Template;
  readonly expression: Template | undefined;
  readonly fields: Template;
}

/** A part of the message that all jobs share. */
interface FixedPart {
  readonly text: string;
  readonly bytes: number;
}

interface FilledPart {
  readonly source: ReturnType<Names['source']>;
  readonly inText: boolean;
  /** By the value's index, as far as computed. */
  readonly bytesOf: number[];
}

function expand(manifest: Manifest, { message, expression, fields }: Templates): Expansion {
  const { axes } = manifest;
  const names = createNames(manifest);
  const holes = [...holesOf(message)];
  const segments = segmentsOf(message).map((segment): FixedPart | FilledPart =>
    typeof segment === 'string'
      ? { text: segment, bytes: Buffer.byteLength(segment) }
      : { source: names.source(segment.name), inText: segment.inText, bytesOf: [] },
  );
  const structural = expression ? [...structuralHoles(expression)] : [];
  const structuralNames = new Set(structural.map(({ name }) => name));
  const graphAxes = axesOf(structural, names);

  const combination = (job: number): number[] => {
    const digits = axes.map(() => 0);
    let rest = job;
    for (let axis = axes.length - 1; axis >= 0; axis -= 1) {
      const size = axes[axis]?.values.length ?? 1;
      digits[axis] = rest % size;
      rest = Math.floor(rest / size);
    }
    return digits;
  };
  const indexIn = (source: Source, digits: readonly number[]): number =>
    source.axis === undefined ? 0 : (digits[source.axis] ?? 0);
  const cellIn = (source: ReturnType<Names['source']>, digits: readonly number[]): Cell | undefined => {
    if ('problem' in source) {
      return undefined;
    }
    const cell = source.cell(indexIn(source, digits));
    return 'problem' in cell ? undefined : cell;
  };
  const fillIn = (template: Template, job: number): unknown => {
    const digits = combination(job);
    return fill(template, (name) => cellIn(names.source(name), digits)?.value);
  };

  return {
    manifest,
    jobs: axes.reduce((product, { values }) => product * values.length, 1),
    names,
    holes,
    combination,
    canFill: (job) => {
      const digits = combination(job);
      return holes.every((hole) => {
        const cell = cellIn(names.source(hole.name), digits);
        return cell !== undefined && (!hole.inText || cell.inside !== undefined);
      });
    },
    message: (job) => {
      const digits = combination(job);
      const parts = segments.map((segment) => {
        if ('text' in segment) {
          return segment.text;
        }
        const cell = cellIn(segment.source, digits);
        return (segment.inText ? cell?.inside : cell?.json) ?? 'null';
      });
      return Buffer.from(parts.join(''));
    },
    messageBytes: (job) => {
      const digits = combination(job);
      let bytes = 0;
      for (const segment of segments) {
        if ('text' in segment) {
          bytes += segment.bytes;
        } else if (!('problem' in segment.source)) {
          const index = indexIn(segment.source, digits);
          const cell = cellIn(segment.source, digits);
          bytes += segment.bytesOf[index] ??= Buffer.byteLength(
            (segment.inText ? cell?.inside : cell?.json) ?? '',
          );
        }
      }
      return bytes;
    },
    json: (job) => fillIn(message, job),
    fieldsJson: (job) => fillIn(fields, job),
    graph: (job) => {
      if (!expression) {
        return undefined;
      }
      const digits = combination(job);
      const key = graphAxes.map((axis) => digits[axis]).join(',');
      const valueOf = (name: string) => cellIn(names.source(name), digits)?.value;
      return {
        key,
        expression: () => fill(expression, valueOf),
        shape: () => fillShape(expression, valueOf, (name) => structuralNames.has(name)),
      };
    },
  };
}

function axesOf(holes: readonly Hole[], names: Names): number[] {
  const axes = new Set<number>();
  for (const hole of holes) {
    const source = names.source(hole.name);
    if (!('problem' in source) && source.axis !== undefined) {
      axes.add(source.axis);
    }
  }
  return [...axes].sort((a, b) => a - b);
}

function fieldOf(template: Template | undefined, name: string): Template | undefined {
  if (template?.kind === 'object') {
    return template.fields.get(name);
  }
  if (template?.kind !== 'constant') {
    return undefined;
  }
  const { value } = template;
  return isJsonObject(value) && Object.hasOwn(value, name)
    ? { kind: 'constant', value: value[name] }
    : undefined;
}

function withField(template: Template, name: string, field: Template): Template {
  const fields = template.kind === 'object' ? template.fields : constantFields(template);
  return { kind: 'object', fields: new Map([...fields, [name, field]]) };
}

function constantFields(template: Template): Map<string, Template> {
  const value = template.kind === 'constant' ? (template.value as Record<string, unknown>) : {};
  return new Map(Object.entries(value).map(([name, member]) => [name, { kind: 'constant', value: member }]));
}

const withoutExpression = (message: Template): Template => {
  const request = fieldOf(message, 'request') as Template;
  return withField(message, 'request', withField(request, 'expression', { kind: 'constant', value: {} }));
};
