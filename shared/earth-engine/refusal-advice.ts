import type { EarthEngineError } from './api.ts';

/** Earth Engine's message for a token without the scope that a request needs. */
const missingScope = /insufficient authentication scopes/i;

/** What an operator should do about a refused export, if its request shows what Earth Engine's message leaves out. */
export function adviceOn({ kind, reply }: EarthEngineError, request: Uint8Array): string | undefined {
  if (kind !== 'PERMISSION') {
    return undefined;
  }
  if (missingScope.test(reply)) {
    return 'Add a drive: pattern to ALLOWED_DESTINATIONS of the functions, which then request the Drive scope, or export to a bucket.';
  }
  // In the text of a graph, the quotes would be escaped.
  return Buffer.from(request).includes('"permissions":"PUBLIC"')
    ? 'The job sets permissions to PUBLIC, for which the service account must be OWNER of the bucket: set public = true for the bucket in export_buckets, or leave permissions out.'
    : undefined;
}
