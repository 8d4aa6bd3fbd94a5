import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { App, type Frame, titleOf } from '../components/app.tsx';
import { type Env, EnvContext } from '../components/env.tsx';
import { applyChange } from './apply-change.ts';
import { fetchFrame, withoutPosition, withQuery } from './fetch-frame.ts';
import { appendRows, keepRows } from './lists.ts';
import { useLive } from './live.ts';

const CLOCK_MS = 10_000;
/** A list grows by this many rows. */
const MORE_ROWS = 300;
/** The most rows that are read again at once. */
const MAX_ROWS = 500;
const FIRST_ROWS = 100;
/** Typing sends one request, not one for each letter. */
const TYPING_MS = 200;
/** How soon the page asks again if the response did not contain the latest change. */
const AGAIN_MS = 1500;
/** The same if the response lacks parts, for which the server waits. */
const LACKING_MS = 100;

const loadCharts: NonNullable<Env['loadCharts']> = async () => (await import('./charts.ts')).drawChart;

/** The page in a browser: it follows changes, and lists load further rows. */
export function Root({ first }: { readonly first: Frame }) {
  const { local, now, tick } = useTime(first.now);
  const { frame, refresh, change, navigate, loadMore, loading } = useFrame(first, tick);
  const lacksParts = frame.view.kind === 'overview' && frame.view.isIncomplete;
  const live = useLive({ refresh, changed: change, againMs: lacksParts ? LACKING_MS : AGAIN_MS });
  useEffect(() => {
    document.title = titleOf(frame.view);
  }, [frame]);
  const env = useMemo(
    (): Env => ({
      now,
      local,
      loadCharts,
      ...(local ? { navigate, loadMore } : {}),
      ...(loading ? { loading } : {}),
    }),
    [now, local, loading, navigate, loadMore],
  );
  return (
    <EnvContext.Provider value={env}>
      <App project={frame.project} view={frame.view} {...(local ? { live } : {})} />
    </EnvContext.Provider>
  );
}

/** The time, which the first drawing takes from the server: it must equal what the server drew. */
function useTime(first: string) {
  const [local, setLocal] = useState(false);
  const [now, setNow] = useState(() => Date.parse(first));
  const tick = useCallback(() => setNow(Date.now()), []);
  useEffect(() => {
    setLocal(true);
    tick();
    const timer = setInterval(tick, CLOCK_MS);
    return () => clearInterval(timer);
  }, [tick]);
  return { local, now, tick };
}

/** What the page shows, and the ways in which it changes. */
function useFrame(first: Frame, tick: () => void) {
  const [frame, setFrame] = useState(first);
  const [loading, setLoading] = useState<Env['loading']>();
  const latest = useRef(frame);
  latest.current = frame;
  const path = useRef(location.pathname + location.search);
  /** Only the latest request counts: a response that comes late is dropped. */
  const requested = useRef(0);
  const isLoading = useRef(false);
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined);

  const refresh = useCallback(async (): Promise<number> => {
    const number = ++requested.current;
    const { view } = latest.current;
    if (view.kind === 'problem') {
      return Number.MAX_SAFE_INTEGER;
    }
    // A list that has grown is not cut back to its first page.
    const rows = view.kind === 'exports' && view.after === undefined ? view.rows.length : 0;
    const limit = rows > FIRST_ROWS ? { limit: String(Math.min(MAX_ROWS, rows)) } : {};
    const next = await fetchFrame(withQuery(path.current, limit));
    if (number === requested.current) {
      setFrame((current) => ({ ...next, view: keepRows(current.view, next.view) }));
      tick();
    }
    return next.version;
  }, [tick]);

  const change = useCallback((news: Parameters<typeof applyChange>[1]): boolean => {
    setFrame((current) => {
      const { view } = applyChange(current.view, news);
      return view === current.view ? current : { ...current, view };
    });
    return applyChange(latest.current.view, news).stale;
  }, []);

  const navigate = useCallback((next: string): void => {
    history.replaceState(undefined, '', next);
    const show = async (): Promise<void> => {
      path.current = next;
      const number = ++requested.current;
      try {
        const found = await fetchFrame(next);
        if (number === requested.current) {
          setFrame(found);
          setLoading(undefined);
        }
      } catch {
        setLoading('FAILED');
      }
    };
    clearTimeout(typing.current);
    typing.current = setTimeout(() => void show(), TYPING_MS);
  }, []);

  const loadRows = useCallback(async (): Promise<void> => {
    const { view } = latest.current;
    if (isLoading.current || view.kind !== 'exports' || view.next === undefined) {
      return;
    }
    isLoading.current = true;
    const { next } = view;
    try {
      const position = { after: next, limit: String(MORE_ROWS) };
      const { view: more } = await fetchFrame(withQuery(withoutPosition(path.current), position));
      setFrame((current) => ({ ...current, view: appendRows(current.view, next, more) }));
      setLoading(undefined);
    } catch {
      setLoading('FAILED');
    } finally {
      isLoading.current = false;
    }
  }, []);
  const loadMore = useCallback(() => void loadRows(), [loadRows]);

  return { frame, refresh, change, navigate, loadMore, loading };
}
