import { later, MINUTE_MS } from '../clock.ts';
import type { EarthEngine } from '../earth-engine/api.ts';
import { notSent } from '../earth-engine/errors.ts';
import { projectOf } from '../earth-engine/operation.ts';
import type { Services } from '../services.ts';
import type { Gate } from '../submission/gate.ts';

/** The longest that a read waits for its turn. */
const LONGEST_TURN_MS = MINUTE_MS / 2;

/**
 * Reads of operations take turns with the exports of their project, since Earth Engine's limit applies to all calls. An
 * export waits for its turn itself, because it must check its lease afterward.
 */
export function paced(
  { clock, earthEngine, stopping }: Pick<Services, 'clock' | 'earthEngine' | 'stopping'>,
  gate: Gate,
): EarthEngine {
  const inTurn = async <R>(kind: 'get' | 'list', project: string, call: () => Promise<R>): Promise<R> => {
    const turn = await gate.pace(project).turn(later(clock.now(), LONGEST_TURN_MS), stopping);
    if (turn === undefined) {
      throw notSent({ kind, name: `${kind} of ${project}` }, 'Earth Engine refuses calls for their rate');
    }
    try {
      const result = await call();
      turn.end();
      return result;
    } catch (error) {
      turn.end(error);
      throw error;
    }
  };
  return {
    startExport: (...call) => earthEngine.startExport(...call),
    getOperation: (operation, options) =>
      inTurn('get', options.project ?? projectOf(operation), () =>
        earthEngine.getOperation(operation, options),
      ),
    listOperations: (...call) => inTurn('list', call[0], () => earthEngine.listOperations(...call)),
    cancelOperation: (...call) => earthEngine.cancelOperation(...call),
    serviceAccount: () => earthEngine.serviceAccount(),
  };
}
