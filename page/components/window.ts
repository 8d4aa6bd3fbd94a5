import { type RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useEnv } from './env.tsx';

/** How many rows stay in the document above and below those that are visible. */
const MARGIN = 30;
/** With fewer rows, all of them stay. */
const ALL = 150;
/** The next rows are loaded when this many are left below the window. */
const AHEAD = 60;

export interface Window {
  readonly body: RefObject<HTMLTableSectionElement | null>;
  /** Empty rows that are as high as what they stand for. */
  readonly above: RefObject<HTMLTableRowElement | null>;
  readonly below: RefObject<HTMLTableRowElement | null>;
  readonly first: number;
  readonly last: number;
}

/**
 * Which rows of a long list are drawn. Ten thousand rows would take seconds to lay out. All rows have the same height, which the
 * style sheet sets, so it can be measured on any of them.
 */
export function useWindow(count: number, hasMore: boolean): Window {
  const { local, loadMore } = useEnv();
  const body = useRef<HTMLTableSectionElement>(null);
  const above = useRef<HTMLTableRowElement>(null);
  const below = useRef<HTMLTableRowElement>(null);
  const height = useRef(0);
  const [range, setRange] = useState({ first: 0, last: ALL });
  const isWindow = local && count > ALL;
  const first = isWindow ? Math.min(range.first, Math.max(0, count - 1)) : 0;
  const last = isWindow ? Math.min(count, range.last) : count;

  useEffect(() => {
    if (!local) {
      return;
    }
    const look = (): void => {
      const place = body.current;
      const row = place?.querySelector<HTMLElement>('[data-row]');
      if (!place || !row) {
        return;
      }
      height.current = row.offsetHeight || height.current;
      const passed = Math.max(0, -place.getBoundingClientRect().top / height.current);
      const visible = window.innerHeight / height.current;
      // In steps, so that not every pixel of scrolling draws anew.
      const next = {
        first: Math.max(0, Math.floor((passed - MARGIN) / 10) * 10),
        last: Math.ceil((passed + visible + MARGIN) / 10) * 10,
      };
      setRange((now) => (now.first === next.first && now.last === next.last ? now : next));
      if (hasMore && passed + visible + AHEAD > count) {
        loadMore?.();
      }
    };
    look();
    window.addEventListener('scroll', look, { passive: true });
    window.addEventListener('resize', look, { passive: true });
    return () => {
      window.removeEventListener('scroll', look);
      window.removeEventListener('resize', look);
    };
  }, [local, count, hasMore, loadMore]);

  useLayoutEffect(() => {
    for (const [place, rows] of [
      [above, first],
      [below, count - last],
    ] as const) {
      if (place.current) {
        // Set from a script, which the content security policy allows, unlike a style attribute.
        place.current.style.height = `${rows * height.current}px`;
      }
    }
  }, [first, last, count]);

  return { body, above, below, first, last };
}
