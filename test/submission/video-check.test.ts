import { describe, expect, it } from 'vitest';

import { isReadable } from '../../shared/store/store.ts';
import { createHarness, smallJob } from '../harness.ts';

const call = (functionName: string, args: object) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const constant = (constantValue: unknown) => ({ constantValue });

/** Each frame has one gray band. */
const grayJob = smallJob(
  { jobKey: 'gray' },
  {
    expression: {
      result: '0',
      values: {
        '0': call('Collection.map', {
          collection: call('ImageCollection.load', { id: constant('MODIS/061/MOD13A2') }),
          baseAlgorithm: { functionDefinitionValue: { argumentNames: ['x'], body: '1' } },
        }),
        '1': call('Image.visualize', { image: { argumentReference: 'x' }, bands: constant(['NDVI']) }),
      },
    },
  },
);

describe('a job whose video cannot succeed', () => {
  it('is rejected with the path of the node', async () => {
    const harness = createHarness();
    await harness.submit({ data: grayJob, messageId: 'gray' });
    const rejected = await harness.store.rejectedMessages.get('gray');
    expect(rejected && isReadable(rejected) && rejected.value).toMatchObject({
      reason: 'INVALID_JOB',
      issues: [
        {
          path: 'request.expression.values["1"]',
          message: expect.stringMatching(/^each frame has 1 band .* \(NOT_THREE_BANDS\)\. Use /),
        },
      ],
    });
    expect(await harness.records()).toEqual([]);
    expect(harness.simulator.counters().calls.export).toBe(0);
  });

  it('is sent with VIDEO_CHECK=warn, and its record has the findings', async () => {
    const harness = createHarness({ environment: { VIDEO_CHECK: 'warn' } });
    await harness.submit({ data: grayJob });
    const [stored] = await harness.records();
    expect(stored?.value.findings).toMatchObject([
      { severity: 'ERROR', code: 'NOT_THREE_BANDS', path: 'request.expression.values["1"]' },
      { severity: 'WARNING', code: 'NO_REGION', path: 'request.expression.values["0"]' },
    ]);
  });

  it('is sent without findings with VIDEO_CHECK=off', async () => {
    const harness = createHarness({ environment: { VIDEO_CHECK: 'off' } });
    await harness.submit({ data: grayJob });
    const [stored] = await harness.records();
    expect(stored?.value).not.toHaveProperty('findings', expect.anything());
  });
});

it('a job that writes to the file of an unfinished job has a warning', async () => {
  const harness = createHarness();
  await harness.submit({ data: smallJob({ jobKey: 'first' }), messageId: '1' });
  await harness.submit({ data: smallJob({ jobKey: 'second' }), messageId: '2' });
  const records = await harness.records();
  const codesOf = (jobKey: string) =>
    records.find(({ value }) => value.jobKey === jobKey)?.value.findings?.map(({ code }) => code);
  expect(codesOf('first')).not.toContain('FILE_NAME_IN_USE');
  expect(codesOf('second')).toContain('FILE_NAME_IN_USE');
});

it('a job is sent although the store does not say who writes to its file', async () => {
  const harness = createHarness();
  const { records } = harness.store;
  const failing = harness.instance((services) => ({
    ...services,
    store: {
      ...services.store,
      records: {
        ...records,
        find: (query, page) =>
          JSON.stringify(query.where).includes('"destination"')
            ? Promise.reject(new Error('the index is missing'))
            : records.find(query, page),
      },
    },
  }));
  expect(await failing.submit({ data: smallJob() })).toMatchObject({ state: 'PENDING' });
  expect(harness.logged).toContainEqual(expect.objectContaining({ event: 'submit.file_name_unknown' }));
});
