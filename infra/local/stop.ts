import { asError } from '../../shared/errors.ts';
import { findRunning, noteStopped, stopRunning } from './local-context.ts';
import { readOptions } from './options.ts';

/* `npm stop` ends what `npm start` runs, in whatever terminal or in the background. */

readOptions('usage: npm stop', {});

try {
  const running = await findRunning(process.env);
  if (running) {
    await stopRunning(running);
    // The process does this itself, unless it was killed.
    await noteStopped(process.env, running.pid);
    console.log('Everything is stopped.');
  } else {
    console.log('The service is not running.');
  }
} catch (error) {
  console.error(asError(error).message);
  process.exitCode = 1;
}
