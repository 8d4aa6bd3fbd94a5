import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { GoogleAuth } from 'google-auth-library';

import { readOptions, wrongOption } from './local/options.ts';

/**
 * Releases firestore.rules, with application default credentials: `npm run release-rules -- PROJECT [DATABASE]`.
 * A repetition changes only the ruleset's name.
 */

const api = 'https://firebaserules.googleapis.com/v1';

/** Calls the API and returns the response, even if it is an error: the caller expects 404. */
export type Call = (
  method: 'POST' | 'PATCH',
  url: string,
  body: unknown,
) => Promise<{ readonly status: number; readonly body: { readonly name?: string } }>;

/**
 * A ruleset, and the database's release that points to it (https://firebase.google.com/docs/reference/rules/rest).
 *
 * @returns the ruleset's name
 */
export async function releaseRules(
  call: Call,
  { project, database, rules }: { project: string; database: string; rules: string },
): Promise<string> {
  const ruleset = await call('POST', `${api}/projects/${project}/rulesets`, {
    source: { files: [{ name: 'firestore.rules', content: rules }] },
  });
  const rulesetName = named(ruleset, 'The Firebase Rules API did not accept the rules');
  const id = database === '(default)' ? 'cloud.firestore' : `cloud.firestore/${database}`;
  const release = { name: `projects/${project}/releases/${id}`, rulesetName };
  const updated = await call('PATCH', `${api}/${release.name}`, { release });
  const released =
    updated.status === 404 ? await call('POST', `${api}/projects/${project}/releases`, release) : updated;
  named(released, `Cannot release the rules to ${database}`);
  return rulesetName;
}

function named({ status, body }: Awaited<ReturnType<Call>>, problem: string): string {
  if (status >= 300 || body.name === undefined) {
    throw new Error(`${problem}: HTTP ${status} ${JSON.stringify(body)}`);
  }
  return body.name;
}

if (import.meta.main) {
  const usage = 'usage: npm run release-rules -- PROJECT [DATABASE]';
  const [project, database = '(default)'] = readOptions(usage, { allowPositionals: true }).positionals;
  if (project === undefined) {
    wrongOption('PROJECT is missing', usage);
  }
  const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' });
  const call: Call = async (method, url, body) => {
    const headers = new Headers(await auth.getRequestHeaders(url));
    headers.set('Content-Type', 'application/json');
    headers.set('X-Goog-User-Project', project);
    const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as { name?: string } };
  };
  const rules = await readFile(join(import.meta.dirname, 'firestore.rules'), 'utf8');
  console.log(`Released ${await releaseRules(call, { project, database, rules })}`);
}
