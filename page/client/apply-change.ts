import type { Change } from '../server/live.ts';
import { filteredRow, matchesFilter } from '../views/filter.ts';
import type { ExportsView, Row, View } from '../views/view.ts';

export interface Applied {
  readonly view: View;
  /** Whether the view must be read again: it has figures that the change does not contain. */
  readonly stale: boolean;
}

/** A view with the rows that changed. The same view if none of them is in it. */
export function applyChange(view: View, change: Change): Applied {
  const rows = new Map(change.rows.map((row) => [row.id, row]));
  const isOf = (id: string) => change.rows.some(({ batches }) => batches.includes(id));
  switch (view.kind) {
    case 'overview':
      return {
        view: {
          ...view,
          ...(view.running && {
            running: patched(view.running, rows).filter(({ state }) => state === 'RUNNING'),
          }),
          ...(view.finished && { finished: patched(view.finished, rows) }),
        },
        stale: true,
      };
    case 'exports':
      return { view: withRows(view, change.rows, rows), stale: change.incomplete };
    case 'export':
      return {
        view,
        stale: change.incomplete || rows.has(view.row.id) || view.attempts.some(({ id }) => rows.has(id)),
      };
    case 'batches':
      return { view, stale: true };
    case 'batch': {
      const others = change.rows.filter(
        ({ id, batches }) => batches.includes(view.id) && !view.rows.some((row) => row.id === id),
      );
      const isListed = change.batches.includes(view.id);
      return {
        view: isOf(view.id) ? { ...view, rows: patched(view.rows, rows) } : view,
        stale: change.incomplete || isListed || others.length > 0,
      };
    }
    case 'problem':
      return { view, stale: false };
  }
}

function patched(rows: readonly Row[], changed: ReadonlyMap<string, Row>): readonly Row[] {
  return rows.some(({ id }) => changed.has(id)) ? rows.map((row) => changed.get(row.id) ?? row) : rows;
}

/** Rows that no longer match disappear, and new ones appear at the top of the first page. */
function withRows(view: ExportsView, changed: readonly Row[], byId: ReadonlyMap<string, Row>): ExportsView {
  const matches = (row: Row) => matchesFilter(filteredRow(row), view.filter);
  const known = new Set(view.rows.map(({ id }) => id));
  const newest = view.rows[0]?.createdAt ?? '';
  const added =
    view.after === undefined
      ? changed
          .filter((row) => !known.has(row.id) && row.createdAt >= newest && matches(row))
          .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
      : [];
  if (added.length === 0 && !view.rows.some(({ id }) => byId.has(id))) {
    return view;
  }
  const kept = patched(view.rows, byId).filter((row) => !byId.has(row.id) || matches(row));
  const total =
    view.total === undefined ? {} : { total: view.total + added.length + kept.length - view.rows.length };
  return { ...view, ...total, rows: [...added, ...kept] };
}
