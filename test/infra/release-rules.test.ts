import { describe, expect, it } from 'vitest';

import { type Call, releaseRules } from '../../infra/release-rules.ts';

const api = 'https://firebaserules.googleapis.com/v1/projects/p';

/** The Firebase Rules API, as far as it is used: releases that exist are updated, others are 404. */
function rulesApi(releases: string[], refuse?: string) {
  const calls: [string, string, unknown][] = [];
  const call: Call = (method, url, body) => {
    calls.push([method, url, body]);
    if (refuse !== undefined && url.endsWith(refuse)) {
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
  it('points an existing release to the new ruleset', async () => {
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

  it('makes the first release of a database with a name', async () => {
    const { call, calls } = rulesApi([]);
    await releaseRules(call, { project: 'p', database: 'exports', rules });
    expect(calls.at(-1)).toEqual([
      'POST',
      `${api}/releases`,
      { name: 'projects/p/releases/cloud.firestore/exports', rulesetName: 'projects/p/rulesets/1' },
    ]);
  });

  it.each(['/rulesets', '/releases/cloud.firestore'])('says what was refused at %s', async (refuse) => {
    const { call } = rulesApi(['cloud.firestore'], refuse);
    await expect(releaseRules(call, { project: 'p', database: '(default)', rules })).rejects.toThrow(
      /(?:refused|released to \(default\)): HTTP 403/,
    );
  });
});
