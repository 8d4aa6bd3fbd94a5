import { describe, expect, it } from 'vitest';

import { createHarness, smallJob } from '../harness.ts';

const storage = (permissions?: string) => ({
  fileExportOptions: {
    fileFormat: 'MP4',
    cloudStorageDestination: {
      bucket: 'my-bucket',
      filenamePrefix: 'small',
      ...(permissions === undefined ? {} : { permissions }),
    },
  },
});

describe('a refusal with 403', () => {
  const submitted = async (request: Record<string, unknown>, settings: object) => {
    const harness = createHarness({
      environment: { ALLOWED_DESTINATIONS: 'gs://*,drive:*' },
      simulator: { settings },
    });
    await harness.submit({ data: smallJob({}, request) });
    const [stored] = await harness.records();
    return stored?.value;
  };

  it('names permissions: PUBLIC, which the service account must own the bucket for', async () => {
    expect(await submitted(storage('PUBLIC'), { ownedBuckets: ['other-bucket'] })).toMatchObject({
      state: 'WAITING',
      waitingFor: 'PERMISSION',
      error: { code: 403, advice: expect.stringMatching(/PUBLIC.*OWNER.*public = true/) as string },
    });
    expect(await submitted(storage('PUBLIC'), { ownedBuckets: ['my-bucket'] })).toMatchObject({
      state: 'PENDING',
    });
    expect(await submitted(storage(), { ownedBuckets: [] })).toMatchObject({ state: 'PENDING' });
  });

  it('names the Drive scope', async () => {
    const drive = { fileExportOptions: { fileFormat: 'MP4', driveDestination: { folder: 'videos' } } };
    expect(await submitted(drive, { tokenScopes: {} })).toMatchObject({
      state: 'WAITING',
      waitingFor: 'PERMISSION',
      error: { code: 403, advice: expect.stringContaining('ALLOWED_DESTINATIONS') as string },
    });
  });

  it('for another reason has no such advice', async () => {
    const refused = await submitted(storage(), { denied: { 'demo-test': 'NO_PERMISSION' } });
    expect(refused).toMatchObject({ waitingFor: 'PERMISSION' });
    expect(refused).not.toHaveProperty('error.advice');
  });
});
