import { describe, expect, it } from 'vitest';

import { rejectMessage } from '../../shared/message/rejection.ts';
import { isReadable } from '../../shared/store/store.ts';
import { documentProblem } from '../../shared/store/limits.ts';
import { createHarness, envelopeOf } from '../harness.ts';

/** The document of a rejected message with these attributes, issues, and data. */
async function recorded(
  attributes: Readonly<Record<string, string>>,
  issues: readonly { path: string; message: string }[] = [],
  data = 'x',
) {
  const { services, store } = createHarness();
  const envelope = { ...envelopeOf({ data, messageId: 'm-1' }), attributes };
  await rejectMessage(services, envelope, { reason: 'INVALID_JOB', issues, source: 'submitExport' });
  const found = await store.rejectedMessages.get('m-1');
  if (!found || !isReadable(found)) {
    throw new Error('The message was not recorded');
  }
  expect(documentProblem(found.id, found.value)).toBeUndefined();
  return found.value;
}

const half = '\ud83d';

describe('a rejected message is a document that Firestore accepts', () => {
  it.each([
    ['long names, in bytes', { ['日'.repeat(5000)]: 'x' }],
    ['long values', { a: '日'.repeat(5000) }],
    ['half a surrogate pair', { [half]: half }],
    ['a surrogate pair at the limit', { ['x'.repeat(255) + '😀']: 'x'.repeat(1023) + '😀' }],
    ['names that are reserved once they are truncated', { ['_'.repeat(3000)]: 'x' }],
    [
      'a thousand names',
      Object.fromEntries(
        Array.from({ length: 1000 }, (_, n) => [`${n}${'日'.repeat(2000)}`, '日'.repeat(2000)]),
      ),
    ],
  ])('with attributes that have %s', async (_, attributes) => {
    const { attributes: kept } = await recorded(attributes);
    expect(Object.keys(kept).length).toBeGreaterThan(0);
    for (const [name, value] of Object.entries(kept)) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(258);
      expect(Buffer.byteLength(value)).toBeLessThanOrEqual(1024);
    }
  });

  it('with only the first 8 KB of its data', async () => {
    const data = 'x'.repeat(8 * 1024);
    expect(await recorded({}, [], `${data}${'y'.repeat(2_000_000)}`)).toMatchObject({ data });
  });

  it('with 10,000 large issues', async () => {
    const issue = { path: '日'.repeat(1_000_000), message: '日'.repeat(1_000_000) };
    const { issues } = await recorded(
      {},
      Array.from({ length: 10_000 }, () => issue),
    );
    expect(Buffer.byteLength(JSON.stringify(issues))).toBeLessThan(110_000);
    expect(issues.at(-1)?.message).toBe(`and ${10_001 - issues.length} more`);
  });

  it('with issues that are truncated within a character', async () => {
    const { issues } = await recorded({}, [{ path: `${'x'.repeat(149)}😀`.repeat(9), message: half }]);
    expect(issues[0]?.path.isWellFormed()).toBe(true);
    expect(issues[0]?.message).toBe('\ufffd');
  });
});

describe('the original of a rejected message', () => {
  const wrong = envelopeOf({ data: { nonsense: 'x'.repeat(20_000) }, messageId: 'm-1' });
  const detail = { reason: 'INVALID_JOB', issues: [], source: 'submitExport' };
  const keptOf = ({ publisher, config }: ReturnType<typeof createHarness>) =>
    publisher.published.filter(({ topic }) => topic === config.topics.deadLetters);

  it('is kept by the redelivery if the process died after it recorded the message', async () => {
    const harness = createHarness();
    const dying = { ...harness.publisher, publish: () => Promise.reject(new Error('killed')) };
    await expect(rejectMessage({ ...harness.services, publisher: dying }, wrong, detail)).rejects.toThrow(
      'killed',
    );
    expect(await harness.store.rejectedMessages.get('m-1')).toBeDefined();
    await rejectMessage(harness.services, wrong, detail);
    expect(keptOf(harness)).toMatchObject([
      { message: { data: wrong.data, attributes: { rejectedMessageId: 'm-1' } } },
    ]);
  });

  it('is kept by the redelivery if the dead-letter topic did not accept it', async () => {
    const harness = createHarness();
    harness.publisher.failing = true;
    await expect(rejectMessage(harness.services, wrong, detail)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
    });
    harness.publisher.failing = false;
    await rejectMessage(harness.services, wrong, detail);
    expect(keptOf(harness)).toHaveLength(1);
  });
});
