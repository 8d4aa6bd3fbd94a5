import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { FunctionProcess } from '../../infra/local/function-process.ts';
import type { Fault } from '../../infra/local/simulator/index.ts';
import { isReadable } from '../../shared/store/store.ts';
import { openTcpGate, type TcpGate } from '../chaos/tcp-gate.ts';
import { pushBody, smallJob } from '../harness.ts';
import { createRig, post, type Rig } from './rig.ts';

/** A file of its own, because it waits for the client of Firestore to give up. */

let rig: Rig;
let gate: TcpGate;
let submit: FunctionProcess;
let fault: Fault | undefined;

beforeAll(async () => {
  rig = await createRig('outage', { onRequest: () => fault });
  gate = await openTcpGate(process.env['FIRESTORE_EMULATOR_HOST'] ?? '');
  submit = await rig.start('submitExport', {
    FIRESTORE_EMULATOR_HOST: gate.host,
    NODE_ENV: 'development',
  });
});
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  await gate?.close();
});

describe('submitExport during an outage', () => {
  it('lets the job wait for Earth Engine', async () => {
    fault = { kind: 'status', status: 503, message: 'SECRET' };
    try {
      const response = await post(submit.url, pushBody({ data: smallJob({ jobKey: 'down/earth-engine' }) }));
      expect(response.status).toBe(204);
    } finally {
      fault = undefined;
    }
    expect(await rig.recordOf('down/earth-engine')).toMatchObject({
      state: 'WAITING',
      waitingFor: 'SERVICE',
    });
  });

  it('acknowledges no message that Firestore did not store', async () => {
    const { url } = submit;
    const good = pushBody({ data: smallJob({ jobKey: 'down/firestore' }) });
    const bad = pushBody({ data: 'nonsense', messageId: 'down-firestore' });
    gate.cut();
    const answers = await Promise.all([post(url, good), post(url, bad)]);
    for (const response of answers) {
      expect(response.status).toBe(500);
      expect(await response.text()).toBe('');
    }
    expect(await rig.store.rejectedMessages.get('down-firestore')).toBeUndefined();
    await expect(rig.recordOf('down/firestore')).rejects.toThrow('no record');

    // Pub/Sub redelivers both.
    gate.restore();
    await untilAcknowledged(url, good);
    await untilAcknowledged(url, bad);
    // If the response to the write was lost, the record has the claim of a delivery that failed, and the poller sends it.
    expect(await rig.recordOf('down/firestore')).toMatchObject({ jobKey: 'down/firestore', attempt: 1 });
    const rejected = await rig.store.rejectedMessages.get('down-firestore');
    expect(rejected && isReadable(rejected) && rejected.value).toMatchObject({ reason: 'INVALID_DATA' });
  });
});

/** The client reconnects only after a moment. */
async function untilAcknowledged(url: string, body: object): Promise<void> {
  for (;;) {
    const { status } = await post(url, body);
    if (status === 204) {
      return;
    }
    expect(status).toBe(500);
  }
}
