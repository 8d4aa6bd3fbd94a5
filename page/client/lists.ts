import type { View } from '../views/view.ts';

/** Lists that grow in the browser. */

/** Rows beyond those that were read again stay, and so does where the list continues. */
export function keepRows(before: View, after: View): View {
  if (before.kind !== 'exports' || after.kind !== 'exports' || before.rows.length <= after.rows.length) {
    return after;
  }
  const read = new Set(after.rows.map(({ id }) => id));
  const oldest = after.rows.at(-1)?.createdAt ?? '';
  const rest = before.rows.filter(({ id, createdAt }) => !read.has(id) && createdAt < oldest);
  const { next: _next, ...others } = after;
  return {
    ...others,
    rows: [...after.rows, ...rest],
    partial: before.partial,
    ...(before.next === undefined ? {} : { next: before.next }),
  };
}

/** Adds the rows after a position, if the list still ends there. */
export function appendRows(view: View, after: string, more: View): View {
  if (view.kind !== 'exports' || more.kind !== 'exports' || view.next !== after) {
    return view;
  }
  const known = new Set(view.rows.map(({ id }) => id));
  const { next: _next, ...others } = view;
  return {
    ...others,
    rows: [...view.rows, ...more.rows.filter(({ id }) => !known.has(id))],
    partial: more.partial,
    ...(more.next === undefined ? {} : { next: more.next }),
  };
}
