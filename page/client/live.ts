import { useEffect, useRef, useState } from 'preact/hooks';

import type { LiveState } from '../components/app.tsx';
import type { Change } from '../server/live.ts';

/** A page that is hidden for this long gives its connection up: it costs the server, and someone pays for it. */
const HIDDEN_MS = 30_000;
const POLL_MS = 10_000;
/** While the stream fails, it is tried again in this time. */
const RECONNECT_MS = 15_000;
const OPEN_MS = 8000;
/** What depends on the time, such as a poller that has stopped, changes although nothing is written. */
const UNCHANGED_MS = 15 * 60_000;

export interface Following {
  /** Reads the view again, and returns its version. */
  readonly refresh: () => Promise<number>;
  /** Applies a change, and returns whether the view must be read again. */
  readonly changed: (change: Change) => boolean;
  /** How soon to read again if a response did not contain the latest change. */
  readonly againMs: number;
}

/** Follows the changes of the server until the page is left: by its stream or, if that fails, by asking. */
export function useLive(following: Following): LiveState {
  const [state, setState] = useState<LiveState>('connecting');
  const current = useRef(following);
  current.current = following;
  useEffect(() => follow(() => current.current, setState), []);
  return state;
}

function follow(following: () => Following, report: (state: LiveState) => void): () => void {
  let stream: EventSource | undefined;
  let latest = 0;
  let known = 0;
  let refreshing = false;
  /** Whether it will ask again soon: until then, changes don't make it ask. */
  let again = false;
  let timers: ReturnType<typeof setTimeout>[] = [];
  const later = (ms: number, work: () => void): void => void timers.push(setTimeout(work, ms));
  const clearTimers = (): void => {
    timers.forEach(clearTimeout);
    timers = [];
    again = false;
  };

  /** One request at a time. What changes meanwhile is read afterward. */
  const refresh = async (): Promise<void> => {
    if (refreshing) {
      return;
    }
    refreshing = true;
    try {
      known = await following().refresh();
    } catch {
      // The next change, or the next poll, tries again.
      known = latest;
    } finally {
      refreshing = false;
    }
    if (known < latest && !again) {
      again = true;
      later(following().againMs, () => {
        again = false;
        void refresh();
      });
    }
  };

  const poll = (): void => {
    report('polling');
    void refresh();
    later(POLL_MS, poll);
  };

  const fail = (): void => {
    stop();
    poll();
    later(RECONNECT_MS, connect);
  };

  const connect = (): void => {
    stop();
    stream = new EventSource('/api/stream');
    later(OPEN_MS, () => stream?.readyState === EventSource.OPEN || fail());
    stream.addEventListener('hello', (event) => {
      clearTimers();
      report('live');
      latest = (JSON.parse(event.data as string) as Change).version;
      // What changed before the stream began is not in it.
      void refresh();
    });
    stream.addEventListener('change', (event) => {
      const change = JSON.parse(event.data as string) as Change;
      if (following().changed(change)) {
        latest = change.version;
        if (!again) {
          void refresh();
        }
      }
    });
    stream.addEventListener('error', () => {
      if (stream?.readyState === EventSource.CLOSED) {
        fail();
      } else {
        // The browser itself connects again.
        report('connecting');
        later(OPEN_MS, () => stream?.readyState === EventSource.OPEN || fail());
      }
    });
  };

  const stop = (): void => {
    clearTimers();
    stream?.close();
    stream = undefined;
  };

  const onVisibility = (): void => {
    if (document.hidden) {
      later(HIDDEN_MS, () => {
        stop();
        report('paused');
      });
    } else if (stream) {
      clearTimers();
    } else {
      report('connecting');
      connect();
    }
  };

  const unchanged = setInterval(() => {
    if (stream && !document.hidden) {
      void refresh();
    }
  }, UNCHANGED_MS);

  connect();
  document.addEventListener('visibilitychange', onVisibility);
  return () => {
    clearInterval(unchanged);
    document.removeEventListener('visibilitychange', onVisibility);
    stop();
  };
}
