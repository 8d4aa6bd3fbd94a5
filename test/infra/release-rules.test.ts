import { describe, expect, it } from 'vitest';

import { type Call, releaseRules } from '../../infra/release-rules.ts';

const api = 'https://firebaserules.googleapis.com/v1/projects/p';

/** The parts of the Firebase Rules API that are used: a release that exists is updated, any other is a 404. */
function rulesApi(releases: string[], failing?: string) {
  const calls: [string, string, unknown][] = [];
  const call: Call = (method, url, body) => {
    calls.push([method, url, body]);
    if (failing !== undefined && url.endsWith(failing)) {
      return Promise.resolve({ status: 403, body: {} });
    }
    if (url === `${api}/rulesets`) {
      return Promise.resolve({ status: 200, body: { name: 'projects/p/rulesets/1' } });
    }
    const known = method === 'POST' || releases.some((name) => url === `${api}/releases/${name}`);
    return Promise.resolve(known ? { status: 200, body: { name: 'released' } } : { status: 404, body: {} });
  };
  return { call, calls };
}

const rules = 'rules_version = "2";';

describe('releaseRules', () => {
  it('updates an existing release with the new ruleset', async () => {
    const { call, calls } = rulesApi(['cloud.firestore']);
    await expect(releaseRules(call, { project: 'p', database: '(default)', rules })).resolves.toBe(
      'projects/p/rulesets/1',
    );
    expect(calls).toEqual([
      ['POST', `${api}/rulesets`, { source: { files: [{ name: 'firestore.rules', content: rules }] } }],
      [
        'PATCH',
        `${api}/releases/cloud.firestore`,
        { release: { name: 'projects/p/releases/cloud.firestore', rulesetName: 'projects/p/rulesets/1' } },
      ],
    ]);
  });

  it('creates the first release of a named database', async () => {
    const { call, calls } = rulesApi([]);
    await releaseRules(call, { project: 'p', database: 'exports', rules });
    expect(calls.at(-1)).toEqual([
      'POST',
      `${api}/releases`,
      { name: 'projects/p/releases/cloud.firestore/exports', rulesetName: 'projects/p/rulesets/1' },
    ]);
  });

  it.each(['/rulesets', '/releases/cloud.firestore'])('reports an error of %s', async (failing) => {
    const { call } = rulesApi(['cloud.firestore'], failing);
    await expect(releaseRules(call, { project: 'p', database: '(default)', rules })).rejects.toThrow(
      /(?:accept the rules|rules to \(default\)): HTTP 403/,
    );
  });
});
