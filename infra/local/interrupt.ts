import { LocalError } from './local-error.ts';

const LOOK_EVERY_MS = 250;

/**
 * Aborted when somebody wants this process to end: Ctrl-C, SIGTERM, the terminal closed. A second Ctrl-C ends it at once.
 *
 * npm, when it is ended by a signal, ends the shell that it runs a script in, and not the script: that is noticed by its
 * having another parent.
 */
export function interruption(): AbortSignal {
  const interrupt = new AbortController();
  const end = () => interrupt.abort(new LocalError('INTERRUPTED', 'It was interrupted.'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, end);
  }
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const { ppid } = process;
    const watch = setInterval(() => {
      if (process.ppid !== ppid) {
        end();
      }
    }, LOOK_EVERY_MS);
    watch.unref();
  }
  return interrupt.signal;
}
