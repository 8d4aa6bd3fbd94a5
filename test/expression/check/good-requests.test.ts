import { globSync, readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { checkVideo } from '../../../shared/expression/check/check-video.ts';
import { goodPrograms } from './good-requests.ts';
import { type OfficialClient, startOfficialClient } from './official-client.ts';

let client: OfficialClient;
beforeAll(async () => {
  client = await startOfficialClient();
});
afterAll(() => client.close());

describe('a good video of the official JavaScript client', () => {
  it.each(goodPrograms)('has no findings: $name', async ({ build, options }) => {
    const request = await client.request(build(client.ee), options);
    expect(checkVideo(request)).toEqual([]);
  });

  it('comes in more than forty kinds', () => {
    expect(goodPrograms.length).toBeGreaterThanOrEqual(40);
  });
});

describe('a request in the repository', () => {
  const files = globSync('{test/fixtures/requests,infra/local/examples,docs/guides}/*.json');

  it.each(files.filter((file) => !/manifest|batch|broken/.test(file)))('has no findings: %s', (file) => {
    const json = JSON.parse(readFileSync(file, 'utf8'));
    expect(checkVideo(json.request ?? json)).toEqual([]);
  });
});
