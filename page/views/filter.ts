import type { DeliveryState } from '../../shared/model/delivery.ts';
import type { RecordState } from '../../shared/model/record.ts';
import { deliveryStates, recordStates } from './states.ts';
import type { Filter, Row } from './view.ts';

/** The filters of the list of exports, as they stand in an address. */

const TEXT = 200;

/** Reads the filters. What is not valid is left out: an old bookmark still shows a list. */
export function readFilter(query: URLSearchParams): Filter {
  const text = (name: string) => query.get(name)?.trim().slice(0, TEXT).toWellFormed() || undefined;
  const states = recordStates.filter((state) => query.getAll('state').includes(state));
  const deliveries = deliveryStates.filter((state) => query.getAll('delivery').includes(state));
  const [batch, label, words] = [text('batch'), text('label'), text('text')];
  const [, name, value] = /^([a-z][a-z0-9_-]{0,62})\s*[=:]\s*(.{1,63})$/.exec(label ?? '') ?? [];
  return {
    states,
    deliveries,
    ...(batch === undefined ? {} : { batch }),
    ...(name === undefined || value === undefined ? {} : { label: { name, value } }),
    ...(words === undefined ? {} : { text: words }),
  };
}

export function filterQuery({ states, deliveries, batch, label, text }: Filter, after?: string): string {
  const query = new URLSearchParams();
  if (text !== undefined) {
    query.set('text', text);
  }
  for (const state of states) {
    query.append('state', state);
  }
  for (const delivery of deliveries) {
    query.append('delivery', delivery);
  }
  if (batch !== undefined) {
    query.set('batch', batch);
  }
  if (label !== undefined) {
    query.set('label', `${label.name}=${label.value}`);
  }
  if (after !== undefined) {
    query.set('after', after);
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

export const exportsPath = (filter: Partial<Filter>, after?: string): string =>
  `/exports${filterQuery({ states: [], deliveries: [], ...filter }, after)}`;

export const exportPath = (id: string): string => `/exports/${encodeURIComponent(id)}`;
export const batchPath = (id: string): string => `/batches/${encodeURIComponent(id)}`;

/** What a filter compares, without the rest of a record. */
export interface Filtered {
  readonly id: string;
  readonly key: string;
  readonly state: string;
  readonly delivery: DeliveryState | undefined;
  readonly batches: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export const filteredRow = ({ id, name, state, delivery, batches, labels }: Row): Filtered => ({
  id,
  key: name,
  state,
  delivery,
  batches,
  labels,
});

export function matchesFilter(
  { id, key, state, delivery, batches, labels }: Filtered,
  filter: Filter,
): boolean {
  const { states, deliveries, batch, label, text } = filter;
  const words = text?.toLowerCase();
  return (
    (states.length === 0 || states.includes(state as RecordState)) &&
    (deliveries.length === 0 || (delivery !== undefined && deliveries.includes(delivery))) &&
    (batch === undefined || batches.includes(batch)) &&
    (label === undefined || (Object.hasOwn(labels, label.name) && labels[label.name] === label.value)) &&
    (words === undefined || key.toLowerCase().includes(words) || id.includes(words))
  );
}
