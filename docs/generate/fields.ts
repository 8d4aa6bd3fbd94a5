import { z } from 'zod';

/** A field of a schema, as a row of a table. */
export interface FieldRow {
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
}

/** The part of JSON Schema that zod writes. */
interface Json {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
  readonly items?: Json;
  readonly anyOf?: readonly Json[];
  readonly oneOf?: readonly Json[];
  readonly enum?: readonly (string | number | boolean)[];
  readonly const?: string | number | boolean;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxLength?: number;
  readonly additionalProperties?: Json | boolean;
  readonly description?: string;
  readonly $ref?: string;
}

/** @param stopAt paths whose inner fields are not listed */
export function fieldsOf(
  schema: z.ZodType,
  io: 'input' | 'output',
  stopAt: readonly string[] = [],
): FieldRow[] {
  return rowsOf(jsonOf(schema, io), '', new Set(stopAt));
}

export function jsonOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  return z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodDate) {
        Object.assign(jsonSchema, { type: 'string', format: 'timestamp' });
      }
    },
  }) as Json;
}

/**
 * What a stored field means: the description of its schema, which is the same in every variant.
 *
 * @throws Error if the field has no description, or several
 */
export function meaningOf(name: string, fields: readonly { readonly description?: string }[]): string {
  const [meaning, ...others] = new Set(fields.map(({ description }) => description));
  if (!meaning || others.length > 0) {
    throw new Error(`The field ${name} needs one .describe() in shared/model that explains it`);
  }
  return meaning;
}

function rowsOf(json: Json, prefix: string, stopAt: ReadonlySet<string>): FieldRow[] {
  return Object.entries(json.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const row: FieldRow = {
      path,
      type: typeOf(field),
      isRequired: json.required?.includes(name) ?? false,
      description: field.description ?? '',
    };
    return stopAt.has(path) ? [row] : [row].concat(rowsOf(field, path, stopAt));
  });
}

export function typeOf(field: Json): string {
  const { type, items, additionalProperties } = field;
  const options = field.anyOf ?? field.oneOf;
  if (field.const !== undefined) {
    return `\`${String(field.const)}\``;
  }
  if (field.enum) {
    return field.enum.map((value) => `\`${String(value)}\``).join(' ');
  }
  if (options) {
    return [...new Set(options.map(typeOf))].join(' or ');
  }
  if (field.format === 'timestamp') {
    return 'timestamp';
  }
  if (type === 'array') {
    return `list of ${items ? typeOf(items) : 'anything'}`;
  }
  if (type === 'object' && typeof additionalProperties === 'object') {
    const values = typeOf(additionalProperties);
    return values === 'anything' ? 'object' : `map of ${values}`;
  }
  if (type === 'integer' || type === 'number') {
    return `${type === 'integer' ? 'whole number' : 'number'}${range(field)}`;
  }
  if (type === 'string') {
    return field.maxLength === undefined ? 'text' : `text, at most ${field.maxLength}`;
  }
  return type ?? 'anything';
}

/** Limits beyond JavaScript's safe integers are not worth showing. */
const isLimit = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;

function range({ minimum, maximum, exclusiveMinimum }: Json): string {
  if (isLimit(minimum) && isLimit(maximum)) {
    return ` ${minimum}–${maximum}`;
  }
  if (isLimit(minimum)) {
    return ` from ${minimum}`;
  }
  return isLimit(exclusiveMinimum) ? ` above ${exclusiveMinimum}` : '';
}
