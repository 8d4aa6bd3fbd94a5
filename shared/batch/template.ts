import type { IssueList, Path } from '../issues.ts';

/**
 * A job message with holes. A string that is exactly one `${name}` becomes the value of that name, of any type; within a
 * longer string the value is inserted; `$${` stands for `${`. Nothing is replaced within the values themselves, or in names
 * of fields.
 */
export type Template =
  | { readonly kind: 'constant'; readonly value: unknown }
  | ({ readonly kind: 'value' } & Hole)
  | { readonly kind: 'text'; readonly pieces: readonly (string | Hole)[] }
  | { readonly kind: 'array'; readonly items: readonly Template[] }
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, Template> };

export interface Hole {
  /** `region.bounds` */
  readonly name: string;
  /** Whether there is text around it, so that the value must be one that can be inserted into text. */
  readonly inText: boolean;
  /** Its path in the manifest. */
  readonly path: Path;
}

/** Compiles JSON that is known to be of bounded depth and without `__proto__`. */
export function compileTemplate(json: unknown, path: Path, issues: IssueList): Template {
  if (typeof json === 'string') {
    return compileText(json, path, issues);
  }
  if (typeof json !== 'object' || json === null) {
    return { kind: 'constant', value: json };
  }
  if (Array.isArray(json)) {
    const items = json.map((item: unknown, index) => compileTemplate(item, [...path, index], issues));
    return items.every((item) => item.kind === 'constant')
      ? { kind: 'constant', value: items.map(({ value }) => value) }
      : { kind: 'array', items };
  }
  const fields = new Map<string, Template>();
  for (const [name, value] of Object.entries(json)) {
    const pieces = readPieces(name);
    if (pieces?.length !== 1 || typeof pieces[0] !== 'string') {
      issues.add(
        [...path, name],
        'is a field name with ${…}, but only values are filled in; write $${ for ${',
      );
      continue;
    }
    fields.set(pieces[0], compileTemplate(value, [...path, name], issues));
  }
  const members = [...fields];
  return members.every(
    (member): member is [string, Template & { kind: 'constant' }] => member[1].kind === 'constant',
  )
    ? { kind: 'constant', value: Object.fromEntries(members.map(([name, { value }]) => [name, value])) }
    : { kind: 'object', fields };
}

function compileText(text: string, path: Path, issues: IssueList): Template {
  const pieces = readPieces(text);
  if (pieces === undefined) {
    issues.add(path, 'has a ${ without its }; write $${ for ${');
    return { kind: 'constant', value: text };
  }
  const [first] = pieces;
  if (pieces.length === 1 && typeof first === 'string') {
    return { kind: 'constant', value: first };
  }
  if (pieces.length === 1 && typeof first === 'object') {
    return { kind: 'value', ...first, inText: false, path };
  }
  return {
    kind: 'text',
    pieces: pieces.map((piece) =>
      typeof piece === 'string' ? piece : { name: piece.name, inText: true, path },
    ),
  };
}

/** Text as literal parts and names; undefined if a `${` is not closed. */
function readPieces(text: string): (string | { readonly name: string })[] | undefined {
  const pieces: (string | { readonly name: string })[] = [];
  let literal = '';
  let from = 0;
  for (let open = text.indexOf('${'); open !== -1; open = text.indexOf('${', from)) {
    if (open > from && text[open - 1] === '$') {
      literal += `${text.slice(from, open - 1)}\${`;
      from = open + 2;
      continue;
    }
    const close = text.indexOf('}', open);
    if (close === -1) {
      return undefined;
    }
    literal += text.slice(from, open);
    if (literal !== '') {
      pieces.push(literal);
    }
    literal = '';
    pieces.push({ name: text.slice(open + 2, close) });
    from = close + 1;
  }
  literal += text.slice(from);
  if (literal !== '' || pieces.length === 0) {
    pieces.push(literal);
  }
  return pieces;
}

/** Every hole of a template. */
export function* holesOf(template: Template): Generator<Hole> {
  switch (template.kind) {
    case 'constant':
      return;
    case 'value':
      yield template;
      return;
    case 'text':
      for (const piece of template.pieces) {
        if (typeof piece === 'object') {
          yield piece;
        }
      }
      return;
    case 'array':
      for (const item of template.items) {
        yield* holesOf(item);
      }
      return;
    case 'object':
      for (const field of template.fields.values()) {
        yield* holesOf(field);
      }
  }
}

/** The template with its holes filled in. Parts without holes are shared, not copied. */
export function fill(template: Template, valueOf: (name: string) => unknown): unknown {
  switch (template.kind) {
    case 'constant':
      return template.value;
    case 'value':
      return valueOf(template.name);
    case 'text':
      return template.pieces
        .map((piece) => (typeof piece === 'string' ? piece : String(valueOf(piece.name))))
        .join('');
    case 'array':
      return template.items.map((item) => fill(item, valueOf));
    case 'object': {
      const filled: Record<string, unknown> = {};
      for (const [name, field] of template.fields) {
        filled[name] = fill(field, valueOf);
      }
      return filled;
    }
  }
}

/**
 * The template with its structural holes filled in, and null for each constant that has another hole: what all jobs of one
 * shape have in common.
 */
export function fillShape(
  template: Template,
  valueOf: (name: string) => unknown,
  isFilled: (name: string) => boolean,
): unknown {
  switch (template.kind) {
    case 'value':
      return isFilled(template.name) ? valueOf(template.name) : null;
    case 'text':
      return template.pieces.every((piece) => typeof piece === 'string' || isFilled(piece.name))
        ? fill(template, valueOf)
        : null;
    case 'array':
      return template.items.map((item) => fillShape(item, valueOf, isFilled));
    case 'object':
      return Object.fromEntries(
        [...template.fields].map(([name, field]) => [name, fillShape(field, valueOf, isFilled)]),
      );
    default:
      return fill(template, valueOf);
  }
}

/** JSON text, or a name whose value stands there: as JSON, or as the inside of a JSON string. */
export type Segment = string | Pick<Hole, 'name' | 'inText'>;

/** The template as JSON text without the values: what thousands of jobs share is serialized once. */
export function segmentsOf(template: Template): Segment[] {
  const segments: Segment[] = [];
  let text = '';
  const hole = ({ name, inText }: Hole) => {
    segments.push(text, { name, inText });
    text = '';
  };
  const write = (part: Template) => {
    switch (part.kind) {
      case 'constant':
        text += JSON.stringify(part.value);
        return;
      case 'value':
        hole(part);
        return;
      case 'text':
        text += '"';
        for (const piece of part.pieces) {
          if (typeof piece === 'string') {
            text += insideOf(piece);
          } else {
            hole(piece);
          }
        }
        text += '"';
        return;
      case 'array':
        part.items.forEach((item, index) => {
          text += index === 0 ? '[' : ',';
          write(item);
        });
        text += ']';
        return;
      case 'object': {
        let opening = '{';
        for (const [name, field] of part.fields) {
          text += `${opening}${JSON.stringify(name)}:`;
          write(field);
          opening = ',';
        }
        text += '}';
      }
    }
  };
  write(template);
  return [...segments, text].filter((segment) => segment !== '');
}

/** Text as it stands between the quotes of a JSON string. */
export const insideOf = (text: string): string => JSON.stringify(text).slice(1, -1);
