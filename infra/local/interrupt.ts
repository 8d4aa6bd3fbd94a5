import { LocalError } from './local-error.ts';

const LOOK_EVERY_MS = 250;

/**
 * Aborted when this process should end: on Ctrl-C, on SIGTERM, or when the terminal closes. A second Ctrl-C ends it at once.
 *
 * If a signal ends npm, npm ends the shell that runs the script, but not the script. The script then has another parent.
 */
export function interruption(): AbortSignal {
  const interrupt = new AbortController();
  const end = () => interrupt.abort(new LocalError('INTERRUPTED', 'Interrupted.'));
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
