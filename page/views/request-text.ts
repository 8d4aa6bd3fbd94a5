import type { Store } from '../../shared/store/store.ts';
import type { RequestText } from './view.ts';

/** How much of a request a page contains, in characters. */
const SHOWN = 60_000;
/** A larger request is not laid out: parsing it would stop the process for a second. */
const LAID_OUT_BYTES = 1_000_000;

/** The request of a record; undefined if it has none that can be read. */
export async function requestText({ records }: Store, id: string): Promise<RequestText | undefined> {
  const bytes = await records.readRequest(id).catch(() => undefined);
  if (!bytes) {
    return undefined;
  }
  const json = new TextDecoder().decode(bytes.subarray(0, LAID_OUT_BYTES));
  const text = bytes.length <= LAID_OUT_BYTES ? layOut(json) : json;
  return { text: text.slice(0, SHOWN).toWellFormed(), truncated: text.length > SHOWN };
}

function layOut(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2);
  } catch {
    return json;
  }
}
