import { UnreadableError } from '../errors.ts';
import type { Job } from '../model/job.ts';
import type { Records } from '../store/store.ts';
import { differingPaths, sentRequest } from './identity.ts';

/** The paths in which a job differs from the one that its record was made from. */
export async function pathsThatDiffer(
  records: Pick<Records, 'readRequest'>,
  { recordId, request }: Pick<Job, 'recordId' | 'request'>,
): Promise<string[]> {
  try {
    const bytes = await records.readRequest(recordId);
    const first = JSON.parse(new TextDecoder().decode(bytes)) as ReturnType<typeof sentRequest>;
    // Under the same id, since the ids of two generations would differ too.
    const paths = differingPaths(first, sentRequest(request, first.requestId));
    // Two descriptions can become equal when they are cleaned and cut to what Earth Engine allows.
    return paths.length > 0 ? paths : ['request.description'];
  } catch (error) {
    // A record and its parts expire in any order. That the two differ is known nevertheless.
    if (error instanceof UnreadableError) {
      return ['request'];
    }
    throw error;
  }
}
