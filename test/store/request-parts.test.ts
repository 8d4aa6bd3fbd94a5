import { randomBytes } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { UnreadableError } from '../../shared/errors.ts';
import { COMMITTED_PARTS, joinRequest, partId, splitRequest } from '../../shared/store/request-parts.ts';

/** Random bytes do not compress, so their size is that of the parts together. */
const bytesOf = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

describe('a request in parts', () => {
  it.each([0, 1, 20_000, 2_500_000])('of %i bytes is joined as it was split', async (length) => {
    const request = bytesOf(length);
    const parts = await splitRequest(request);
    expect(Buffer.compare(await joinRequest('r', parts), request)).toBe(0);
  });

  it('fits into documents', async () => {
    const parts = await splitRequest(bytesOf(2_500_000));
    expect(parts).toHaveLength(3);
    expect(Math.max(...parts.map(({ data }) => data.length))).toBeLessThan(1024 * 1024);
  });

  it('is not read if a part is missing, damaged, or of another request', async () => {
    const request = bytesOf(1_500_000);
    const [first, second] = await splitRequest(request);
    const damaged = first && { ...first, data: first.data.map((byte, n) => (n === 9 ? byte ^ 1 : byte)) };
    const [, foreign] = await splitRequest(bytesOf(1_500_000));
    for (const parts of [[first, undefined], [damaged, second], [first, foreign], [first]]) {
      await expect(joinRequest('r', parts)).rejects.toThrow(UnreadableError);
    }
  });
});

describe('the id of a part', () => {
  const [one, other] = [{ sha256: 'a'.repeat(64) }, { sha256: 'b'.repeat(64) }];

  it('is its number if it is written together with the record', () => {
    expect(partId(COMMITTED_PARTS - 1, one)).toBe(String(COMMITTED_PARTS - 1));
  });

  it("names its content if it is written ahead, so that no other sender's bytes replace it", () => {
    expect(partId(COMMITTED_PARTS, one)).toContain(one.sha256);
    expect(partId(COMMITTED_PARTS, one)).not.toBe(partId(COMMITTED_PARTS, other));
  });
});
