import { rpcCodeOf, rpcCodes } from '../../shared/rpc-codes.ts';
import {
  batchListQueries,
  listQueries,
  rejectedMessageListQueries,
} from '../../shared/store/list-queries.ts';
import {
  batchQueries,
  type Query,
  recordQueries,
  rejectedMessageQueries,
} from '../../shared/store/queries.ts';
import type { Documents, Store } from '../../shared/store/store.ts';
import { explain } from '../problem.ts';
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
        `there is no Firestore database ${database} in ${project}`,
        "is that the service's project? Else terraform apply makes it (infra/README.md); FIRESTORE_DATABASE names another",
      );
    }
    if (code === rpcCodes.PERMISSION_DENIED) {
      return problem(
        check,
        'PERMISSION_MISSING',
        `you may not read the database ${database} of ${project}, or its API is disabled`,
        `ask for roles/datastore.viewer on ${project} (var.readers), or run gcloud services enable firestore.googleapis.com`,
      );
    }
    return problem(check, ...described(error));
  }
}

type Queries = Readonly<Record<string, (...values: never[]) => Query>>;

/** Every query of the service, for one document each. A missing index is told by the database alone. */
export async function checkIndexes(store: Store): Promise<Finding> {
  const check = 'Indexes';
  const asked = [
    ...queriesOf(recordQueries, store.records),
    ...queriesOf(listQueries, store.records),
    ...queriesOf(batchQueries, store.batches),
    ...queriesOf(batchListQueries, store.batches),
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
      `no index for ${missing.map(({ name }) => name).join(', ')}`,
      'run terraform apply (infra/README.md); a new index takes minutes to be built',
    );
  }
  const failed = results.find((result) => result.status === 'rejected');
  return failed ? problem(check, ...described(failed.reason)) : ok(check, `${asked.length} queries answered`);
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

function described(error: unknown): [code: string, found: string, advice: string] {
  const { code, message } = explain(error);
  const [found = message, ...advice] = message.split(/: (?=\S+ )|; /);
  return [code, found, advice.join('; ') || 'try again later'];
}
