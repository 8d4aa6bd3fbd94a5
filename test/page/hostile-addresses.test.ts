import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { servePage, type ServedPage } from './rig.ts';
import { recordFor, seedTeam } from './seed.ts';

let page: ServedPage;
let ids: string[];
beforeAll(async () => {
  page = await servePage();
  await seedTeam(page.store, new Date());
  const { id, record } = recordFor('FAILED', 'hostile/addresses');
  await page.store.records.create(id, record);
  ids = [id, 'annual-timelapses@2026-11-23'];
});
afterAll(() => page[Symbol.asyncDispose]());

/** The status of a request whose address is sent as it is: clients tidy addresses up. */
async function statusOf(address: string): Promise<number> {
  const { hostname, port } = new URL(page.url);
  const socket = connect(Number(port), hostname);
  socket.end(`GET ${address} HTTP/1.1\r\nhost: page\r\nconnection: close\r\n\r\n`, 'latin1');
  return Number((await text(socket)).slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
}

const failures = () => page.lines.filter((line) => line.includes('page.failed'));

describe('an address', () => {
  it.each([
    ['//', 404],
    ['//evil.example', 404],
    ['//evil.example/exports', 404],
    ['/\\evil.example', 404],
    ['http://evil.example/', 404],
    ['/api/views//', 404],
    ['/exports?limit=1.5', 400],
    ['/exports?limit=0', 400],
    ['/exports?limit=-1', 400],
    ['/exports?limit=1e3', 400],
    ['/exports?limit=NaN', 400],
    ['/api/views/exports?limit=1.5', 400],
    ['/exports?limit=999999', 200],
    ['/exports?after=999999999999999.x', 200],
    ['/exports?after=1.__x__', 200],
    ['/batches?after=999999999999999.x', 200],
    ['/batches?after=1.__x__', 200],
    ['/exports/%00', 404],
    ['/exports/..%2f..', 404],
    ['/exports/%ed%a0%80', 404],
  ])('%s is answered with %i', async (address, status) => {
    expect([await statusOf(address), failures()]).toEqual([status, []]);
  });

  const hostile = [
    String.raw`/ // . .. % %00 %ff %2f %2e%2e %ed%a0%80 * \ @ : ; ? & = # [ ] { } ' " < > ^ |`,
    '-1 0 1.5 1e9 NaN 999999999999999 1. .1 1.__x__ 9999999999999.%2f __x__ __proto__ constructor toString',
    'exports batches api views assets video request healthz http:',
  ].flatMap((parts) => parts.split(' '));
  const part = fc.oneof(
    fc.constantFrom('', ...hostile, 'x'.repeat(2000), '%F0%9F%8E%A5'.repeat(200)),
    fc.integer({ min: 0, max: 1 }).map((n) => encodeURIComponent(ids[n] ?? '')),
    fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCodePoint(code)) }),
  );
  const name = fc.constantFrom(
    'after',
    'limit',
    'state',
    'delivery',
    'batch',
    'label',
    'text',
    'request',
    'x',
  );
  const address = fc
    .tuple(
      fc.array(part, { maxLength: 4 }),
      fc.array(fc.tuple(name, fc.array(part, { minLength: 1, maxLength: 3 })), { maxLength: 3 }),
    )
    .map(([path, query]) => {
      const fields = query.map(([key, values]) => `${key}=${values.join('')}`);
      return `/${path.join('/')}${fields.length > 0 ? `?${fields.join('&')}` : ''}`;
    })
    // It stays open.
    .filter((path) => !path.includes('/stream'));

  it('of any other kind is never answered as if the server had failed', async () => {
    await fc.assert(
      fc.asyncProperty(address, async (path) => {
        expect([path, [200, 400, 404, 422]]).toEqual([path, expect.arrayContaining([await statusOf(path)])]);
        expect([path, failures()]).toEqual([path, []]);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});
