import { rpcCodeOf, rpcCodes } from '../../shared/rpc-codes.ts';
import {
  batchListQueries,
  listQueries,
  projectListQueries,
  rejectedMessageListQueries,
} from '../../shared/store/list-queries.ts';
import {
  batchQueries,
  type Query,
  recordQueries,
  rejectedMessageQueries,
} from '../../shared/store/queries.ts';
import type { Documents, Store } from '../../shared/store/store.ts';
import type { Cli } from '../cli.ts';
import { explain } from '../problem.ts';
import { readRestrictions, restrictionText } from '../restrictions.ts';
import { type Finding, ok, problem } from './finding.ts';

export async function checkDatabase(store: Store, database: string, project: string): Promise<Finding> {
  const check = 'Database';
  try {
    await store.records.get('doctor');
    return ok(check, database);
  } catch (error) {
    const code = rpcCodeOf(error);
    if (code === rpcCodes.NOT_FOUND || code === rpcCodes.FAILED_PRECONDITION) {
      return problem(
        check,
        'DATABASE_MISSING',
        `There is no Firestore database ${database} in ${project}`,
        "Check that this is the service's project. If it is, terraform apply creates the database (infra/README.md), or FIRESTORE_DATABASE names another",
      );
    }
    if (code === rpcCodes.PERMISSION_DENIED) {
      return problem(
        check,
        'PERMISSION_MISSING',
        `You may not read the database ${database} of ${project}, or its API is disabled`,
        `Ask for roles/datastore.viewer on ${project} (var.readers), or run gcloud services enable firestore.googleapis.com`,
      );
    }
    return ranInto(check, error);
  }
}

type Queries = Readonly<Record<string, (...values: never[]) => Query>>;

/** Runs every query of the service, for one document each: only the database knows which indexes it has. */
export async function checkIndexes(store: Store): Promise<Finding> {
  const check = 'Indexes';
  const asked = [
    ...queriesOf(recordQueries, store.records),
    ...queriesOf(listQueries, store.records),
    ...queriesOf(batchQueries, store.batches),
    ...queriesOf(batchListQueries, store.batches),
    ...queriesOf(projectListQueries, store.projects),
    ...queriesOf(rejectedMessageQueries, store.rejectedMessages),
    ...queriesOf(rejectedMessageListQueries, store.rejectedMessages),
  ];
  const results = await Promise.allSettled(
    asked.map(({ documents, query }) => documents.find(query, { limit: 1 })),
  );
  const missing = asked.filter((_, index) => {
    const result = results[index];
    return result?.status === 'rejected' && rpcCodeOf(result.reason) === rpcCodes.FAILED_PRECONDITION;
  });
  if (missing.length > 0) {
    return problem(
      check,
      'INDEX_MISSING',
      `No index for ${missing.map(({ name }) => name).join(', ')}`,
      'Run terraform apply (infra/README.md); building a new index takes minutes',
    );
  }
  const failed = results.find((result) => result.status === 'rejected');
  return failed ? ranInto(check, failed.reason) : ok(check, `All ${asked.length} queries have theirs`);
}

function queriesOf(queries: Queries, documents: Pick<Documents<unknown>, 'find'>) {
  return Object.entries(queries).map(([name, make]) => ({ name, documents, query: sample(make) }));
}

/** Values do not matter to an index. */
function sample(make: Queries[string]): Query {
  const { where, orderBy } = (make as (...values: unknown[]) => Query)('doctor', 'doctor', 'doctor');
  return {
    where: where.map(([field, op, value]) => [
      field,
      op,
      op === 'in' && !Array.isArray(value) ? [value] : value,
    ]),
    orderBy,
  };
}

/** Not a mistake in the deployment, but the answer to why everything is slow. */
export async function checkRestrictions(cli: Pick<Cli, 'store' | 'clock'>): Promise<Finding> {
  const check = 'Speed';
  try {
    const restrictions = await readRestrictions(cli);
    return restrictions.length === 0
      ? ok(check, 'No project is in restricted mode')
      : problem(
          check,
          'PROJECT_RESTRICTED',
          restrictions.map(restrictionText).join('; '),
          'Wait for the first day of the month, reduce other use of the project, or change its plan (https://console.cloud.google.com/earth-engine)',
        );
  } catch (error) {
    return ranInto(check, error);
  }
}

function ranInto(check: string, error: unknown): Finding {
  const { code, found, advice = 'Retry later' } = explain(error);
  return problem(check, code, found, advice);
}
