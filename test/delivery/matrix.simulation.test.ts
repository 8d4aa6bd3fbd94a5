import { describe, expect, it, vi } from 'vitest';

import { bucket, deliveryCases, dyingAt, prepare, reportedDeliveries, settle } from './matrix.ts';

vi.setConfig({ testTimeout: 120_000 });

const forms = ['plain', 'numbered'] as const;
const deliverTo = 'gs://stable/videos/a b.mp4';
const [early] = deliveryCases;
if (!early) {
  throw new Error('there is no case');
}
const cells = [
  ...deliveryCases.map((delivery) => ({ delivery, job: {} })),
  { delivery: { ...early, name: 'early, copied' }, job: { deliverTo } },
];

describe.each(forms)('a delivery under the %s name', (form) => {
  it.each(cells)('$delivery.name: the right state and one event, wherever the poller dies', async (cell) => {
    const { delivery, job } = cell;
    const whole = await prepare(delivery, form, job);
    const counter = dyingAt(whole.services, Infinity);
    await whole.instance(() => counter.services).poll();
    const calls = counter.calls();
    expect(calls).toBeGreaterThan(5);

    // To die after a call is to die before the next one.
    for (let call = 0; call <= calls; call += 1) {
      const harness = await prepare(delivery, form, job);
      await harness
        .instance((services) => dyingAt(services, call).services)
        .poll()
        .catch(() => {});
      await settle(harness);
      const died = `died after call ${call}`;
      const reported = reportedDeliveries(harness);
      for (const { id, value } of await harness.records()) {
        const { state, code } = delivery.expected;
        expect(value, died).toMatchObject({
          state: 'SUCCEEDED',
          delivery: { state, problems: code === undefined ? [] : [{ code }] },
          ...('deliverTo' in job ? { deliveredTo: deliverTo } : {}),
        });
        const expected = [[state, 'deliverTo' in job ? deliverTo : ''].filter(Boolean).join(' ')];
        expect(reported.get(id), died).toEqual(expected);
      }
      expect(harness.buckets.objects.list('stable', '')).toHaveLength('deliverTo' in job ? 1 : 0);
      expect(harness.buckets.objects.list(bucket, '').length).toBeLessThanOrEqual(2);
    }
  });
});
