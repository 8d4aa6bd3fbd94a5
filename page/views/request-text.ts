import { codeOf } from '../../shared/expression/code/expression-code.ts';
import type { JsonObject } from '../../shared/json.ts';
import type { Store } from '../../shared/store/store.ts';
import type { RequestText } from './view.ts';

/** How much of a request a page contains, in characters. */
const SHOWN = 60_000;
/** A larger request is not laid out: parsing it would stop the process for a second. */
const LAID_OUT_BYTES = 1_000_000;
/** A larger graph is not shown as code: this takes ten times as long as parsing, and is too long to read. */
const CODE_BYTES = 200_000;
const CODE_COLUMNS = 96;

/** The request of a record; undefined if it has none that can be read. */
export async function requestText({ records }: Store, id: string): Promise<RequestText | undefined> {
  const bytes = await records.readRequest(id).catch(() => undefined);
  if (!bytes) {
    return undefined;
  }
  const json = new TextDecoder().decode(bytes.subarray(0, LAID_OUT_BYTES));
  if (bytes.length > LAID_OUT_BYTES) {
    return { json: shown(json), truncated: true };
  }
  const request = parse(json);
  const code = request && bytes.length <= CODE_BYTES ? codeIn(request) : undefined;
  if (request && code !== undefined) {
    const { expression: _, ...others } = request;
    const rest = layOut(others) ?? '';
    const truncated = code.length > SHOWN || rest.length > SHOWN;
    return { code: shown(code), json: shown(rest), truncated };
  }
  const text = (request && layOut(request)) ?? json;
  return { json: shown(text), truncated: text.length > SHOWN };
}

const shown = (text: string): string => text.slice(0, SHOWN).toWellFormed();

/** Undefined for what is nested too deeply. */
function layOut(value: JsonObject): string | undefined {
  try {
    return JSON.stringify(value, undefined, 2);
  } catch {
    return undefined;
  }
}

function parse(json: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined for a graph that was changed since it was checked, or that is nested too deeply to be written. */
function codeIn({ expression }: JsonObject): string | undefined {
  try {
    return codeOf(expression as { values: JsonObject; result: string }, CODE_COLUMNS).lines.join('\n');
  } catch {
    return undefined;
  }
}
