import { describe, expect, it } from 'vitest';

import { parseOperation, parseOperationPage } from '../../shared/earth-engine/operation.ts';

const name = 'projects/my-project/operations/3DNU363IM57LNU4SDTMB6I33';
const metadata = (fields: object) => parseOperation({ name, metadata: fields });

describe('an operation', () => {
  it('is read completely', () => {
    expect(
      parseOperation({
        name,
        metadata: {
          '@type': 'type.googleapis.com/google.earthengine.v1.OperationMetadata',
          state: 'RUNNING',
          type: 'EXPORT_VIDEO',
          description: 'las-vegas_ve1-abc',
          priority: 100,
          createTime: '2026-11-23T11:59:59Z',
          updateTime: '2026-11-23T12:30:00.123456789Z',
          startTime: '2026-11-23T12:00:00.1Z',
          endTime: '2026-11-23T12:30:00.123456789Z',
          progress: 0.42,
          stages: [
            { displayName: 'Create List of Assets' },
            { displayName: 'Fetch', completeWorkUnits: 3, totalWorkUnits: 3 },
            { displayName: 'Render', completeWorkUnits: 1.5, totalWorkUnits: 3 },
            { displayName: 'Write Files', totalWorkUnits: 1 },
          ],
          attempt: 2,
          destinationUris: ['https://console.cloud.google.com/storage/browser/b/p'],
          batchEecuUsageSeconds: 12.3,
        },
        done: true,
        error: { code: 3, message: 'User memory limit exceeded. (Error code: 3)', details: [] },
      }),
    ).toEqual({
      name,
      done: true,
      state: 'RUNNING',
      type: 'EXPORT_VIDEO',
      description: 'las-vegas_ve1-abc',
      progress: 0.42,
      stage: 'Render',
      units: 4.5,
      runAttempt: 2,
      destinationUris: ['https://console.cloud.google.com/storage/browser/b/p'],
      eecuSeconds: 12.3,
      createTime: new Date('2026-11-23T11:59:59Z'),
      startTime: new Date('2026-11-23T12:00:00.100Z'),
      endTime: new Date('2026-11-23T12:30:00.123Z'),
      error: { code: 3, message: 'User memory limit exceeded. (Error code: 3)' },
      hasResponse: false,
    });
  });

  it('needs only a name', () => {
    const bare = {
      name,
      done: false,
      state: undefined,
      type: undefined,
      description: undefined,
      progress: undefined,
      stage: undefined,
      units: undefined,
      runAttempt: undefined,
      destinationUris: [],
      eecuSeconds: undefined,
      startTime: undefined,
      endTime: undefined,
      error: undefined,
      hasResponse: false,
    };
    expect(parseOperation({ name })).toEqual(bare);
    expect(
      parseOperation({
        name,
        done: 'yes',
        response: 1,
        error: 'no',
        metadata: {
          state: 7,
          type: null,
          description: {},
          progress: '0.5',
          stages: 'x',
          attempt: [],
          destinationUris: 'u',
          batchEecuUsageSeconds: null,
          startTime: 0,
          endTime: 'yesterday',
        },
      }),
    ).toEqual(bare);
    expect(parseOperation({ name, metadata: [] })).toEqual(bare);
  });

  it.each([
    undefined,
    null,
    'x',
    [],
    {},
    { name: 7 },
    { name: 'projects/p/operations/' },
    { name: 'projects/p/operations/a/b' },
    { name: 'projects/../operations/x' },
    { name: 'projects/p/operations/..' },
    { name: 'operations/x' },
  ])('without a usable name is ignored: %j', (json) => {
    expect(parseOperation(json)).toBeUndefined();
  });

  it('has no start time if Earth Engine sends 1970', () => {
    expect(metadata({ startTime: '1970-01-01T00:00:00Z' })?.startTime).toBeUndefined();
    expect(metadata({ startTime: '1970-01-01T00:00:00.000001Z' })?.startTime).toBeUndefined();
  });

  it('has the state UNKNOWN if Earth Engine sends an unknown one', () => {
    expect(metadata({ state: 'HIBERNATING' })?.state).toBe('UNKNOWN');
    expect(metadata({ state: 'STATE_UNSPECIFIED' })?.state).toBe('UNKNOWN');
  });

  it('has progress between 0 and 1', () => {
    expect(metadata({ progress: 1.7 })?.progress).toBe(1);
    expect(metadata({ progress: -1 })?.progress).toBe(0);
  });

  it('has a stage, named by its description if it has no name, and units, whatever fields its stages lack', () => {
    const stages = [null, 7, {}, { description: 'Rendering', totalWorkUnits: 2 }];
    expect(metadata({ stages })).toMatchObject({ stage: 'Rendering', units: 0 });
    expect(metadata({ stages: [{ displayName: 'Ingest Assets' }] })).toMatchObject({
      stage: undefined,
      units: undefined,
    });
    expect(
      metadata({ stages: [{ displayName: 'Done', completeWorkUnits: 2, totalWorkUnits: 2 }] }),
    ).toMatchObject({
      stage: undefined,
      units: 2,
    });
  });

  it('has a response if it succeeded, even an empty one', () => {
    expect(parseOperation({ name, done: true, response: {} })).toMatchObject({
      done: true,
      hasResponse: true,
    });
  });

  it('has an error, whatever the error lacks', () => {
    expect(parseOperation({ name, error: {} })?.error).toEqual({ code: 2, message: '' });
    expect(
      parseOperation({ name, error: { code: 1, message: 'x'.repeat(9999) } })?.error?.message,
    ).toHaveLength(4096);
  });
});

/** A value that Firestore or the record's schema does not accept makes a record that can never be written again. */
describe('an operation with unusual values', () => {
  it('has integers where records need them', () => {
    expect(metadata({ attempt: 1.5 })?.runAttempt).toBeUndefined();
    expect(metadata({ attempt: 1e300 })?.runAttempt).toBeUndefined();
    expect(parseOperation({ name, error: { code: 3.5 } })?.error?.code).toBe(2);
  });

  it('has finite numbers', () => {
    const huge = { displayName: 'Render', completeWorkUnits: 1.7e308, totalWorkUnits: 1.7e308 };
    expect(metadata({ stages: [huge, huge] })?.units).toBeUndefined();
    expect(metadata({ batchEecuUsageSeconds: Infinity, progress: NaN })).toMatchObject({
      eecuSeconds: undefined,
      progress: undefined,
    });
  });

  it.each([-1, 1e300])('has no cost of %d, which would spoil every sum', (batchEecuUsageSeconds) => {
    expect(metadata({ batchEecuUsageSeconds })?.eecuSeconds).toBeUndefined();
  });

  it('has times that a document can store', () => {
    const far = '+020000-01-01T00:00:00Z';
    expect(metadata({ startTime: far, endTime: far })).toMatchObject({
      startTime: undefined,
      endTime: undefined,
    });
    expect(metadata({ endTime: '-000001-01-01T00:00:00Z' })?.endTime).toBeUndefined();
    expect(metadata({ endTime: '9999-12-31T23:59:59Z' })?.endTime).toBeInstanceOf(Date);
  });

  it('has short texts without half surrogate pairs', () => {
    const long = `${'x'.repeat(499)}😀`.repeat(1000);
    const stage = metadata({ stages: [{ displayName: long, totalWorkUnits: 1 }] })?.stage;
    expect(stage).toBe(`${'x'.repeat(499)}\ufffd`);
    const message = parseOperation({ name, error: { message: 'bad \ud83d more' } })?.error?.message;
    expect(message).toBe('bad \ufffd more');
    const uris = metadata({ destinationUris: Array.from({ length: 5000 }, () => long) })?.destinationUris;
    expect(uris).toHaveLength(100);
    expect(uris?.every((uri) => uri.length <= 1024 && uri.isWellFormed())).toBe(true);
  });

  it.each(['\ud83d', 'x'.repeat(2000)])('is ignored if its name cannot be stored: %#', (id) => {
    expect(parseOperation({ name: `projects/p/operations/${id}` })).toBeUndefined();
  });
});

describe('a page of operations', () => {
  it('may be empty', () => {
    expect(parseOperationPage({})).toEqual({ operations: [], nextPageToken: undefined });
    expect(parseOperationPage({ nextPageToken: '' })).toEqual({ operations: [], nextPageToken: undefined });
  });

  it.each([
    { unreachable: ['projects/p'] },
    { unreachable: null },
    { operations: {} },
    { nextPageToken: 7 },
    [],
    null,
  ])('is none if operations could be missing: %j', (json) => {
    expect(parseOperationPage(json)).toBeUndefined();
  });

  it('omits operations that have no name', () => {
    const page = parseOperationPage({ operations: [null, { name: 'x' }, { name }, 7], nextPageToken: 't' });
    expect(page?.operations.map((operation) => operation.name)).toEqual([name]);
    expect(page?.nextPageToken).toBe('t');
  });
});
