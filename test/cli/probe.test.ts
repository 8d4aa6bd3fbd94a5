import { afterEach, describe, expect, it } from 'vitest';

import { probedBeliefs, unprobedBeliefs } from '../../cli/probe/beliefs.ts';
import {
  createSimulator,
  serveSimulator,
  type SimulatorServer,
  type SimulatorSettings,
} from '../../infra/local/simulator/index.ts';
import { createTestClock } from '../harness.ts';
import { createRig } from './rig.ts';

interface Line {
  readonly id: string;
  readonly outcome: string;
  readonly found: string;
}

let server: SimulatorServer | undefined;
afterEach(() => server?.close());

/** Operations stay PENDING until the probe cancels them; three others are older. */
const usual: Partial<SimulatorSettings> = {
  pendingMs: 600_000,
  cancelMs: 1000,
  quotaStatus: 'parallelism_restricted=false',
};

async function runProbe(settings: Partial<SimulatorSettings>, ...more: readonly string[]) {
  // Until the command line has its own.
  const clock = createTestClock();
  const simulator = createSimulator({ now: () => clock.now(), settings: { ...usual, ...settings } });
  simulator.setOthers('ee-project', { ended: 3 });
  server = await serveSimulator(simulator);
  const rig = createRig({
    environment: {
      GOOGLE_CLOUD_PROJECT: 'demo-ee',
      EARTHENGINE_EMULATOR_HOST: new URL(server.url).host,
      FIRESTORE_EMULATOR_HOST: 'localhost:1',
      PUBSUB_EMULATOR_HOST: 'localhost:1',
    },
  });
  clock.now = () => rig.clock.now();
  rig.whileAsleep = () => {};
  const ran = await rig.run('doctor', '--probe', 'ee-project', ...more);
  return { ...ran, simulator };
}

async function linesOf(settings: Partial<SimulatorSettings>): Promise<{ code: number; lines: Line[] }> {
  const { code, out } = await runProbe(settings, '--json');
  return { code, lines: (JSON.parse(out) as { beliefs: Line[] }).beliefs };
}

describe('doctor --probe', () => {
  it('prints a line for every belief, in words that an issue can quote', async () => {
    const { code, out, simulator } = await runProbe({});
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'Earth Engine, probed by ee-video-exports at 2026-11-23 12:00:00 UTC',
        '',
        'holds        marker               in the response, get, the list',
        'holds        request-id           HTTP 400: A different Operation was already started with the given request_id',
        'holds        list                 after 0 s',
        'holds        list-order           4 operations on the first page',
        'holds        fields               type EXPORT_VIDEO',
        'holds        start-time           none while PENDING',
        'holds        states               PENDING, CANCELLED, CANCELLING',
        'holds        not-found            HTTP 404',
        'holds        cancel               after 2 s',
        'holds        ending               error code 1',
        'holds        restricted           not restricted',
        ...Object.keys(unprobedBeliefs).map((id) => `not checked  ${id}`),
        '',
        'Nothing contradicts what the service assumes.',
        '',
      ].join('\n'),
    );
    expect(out).not.toContain('ee-project');
    // One tiny export, which never ran.
    expect(simulator.operations()).toMatchObject([{ state: 'CANCELLED', startTime: undefined }]);
    expect(simulator.operations()[0]?.destination).toMatch(
      /^gs:\/\/ee-project-videos\/ee-video-exports-probe\//,
    );
  });

  it('names the bucket that is given', async () => {
    const { simulator } = await runProbe({}, '--bucket', 'my-videos');
    expect(simulator.operations()[0]?.destination).toMatch(/^gs:\/\/my-videos\//);
  });

  const running = { pendingMs: 0, startsPerSecond: 1000, runMs: [600_000, 600_000] } as const;

  /** Each with the settings of the run without the quirk, if they differ. */
  it.each<[string, string, Partial<SimulatorSettings>, Partial<SimulatorSettings>?]>([
    ['marker', 'missing or changed in the response, get, the list', { omitDescription: true }],
    ['request-id', 'the same request again started a second operation', { forgetIdsAfterMs: 0 }],
    ['request-id', 'other content with the same ID was accepted', { ignoreOtherContent: true }],
    ['list', 'not listed within 60 s', { listLagMs: 600_000 }],
    ['list-order', 'not in this order', { listOrder: 'oldest' }],
    ['fields', 'missing: state in the response, type, updateTime', { quirkRates: { missingFields: 1 } }],
    ['start-time', '1970-01-01T00:00:00.000Z while PENDING', { quirkRates: { epochStart: 1 } }],
    ['states', 'unknown: PAUSED_BY_SCHEDULER', { ...running, quirkRates: { unknownState: 1 } }, running],
    ['not-found', 'HTTP 403: Operation', { missingOperationStatus: 403 }],
    ['cancel', 'it ended as SUCCEEDED', { uncancellable: ['.'] }],
    ['ending', 'it has neither', { quirkRates: { doneWithNeither: 1 } }],
    ['restricted', 'no response had the header', { quotaStatus: null }],
  ])('a quirk changes exactly its line: %s: %s', async (id, found, quirk, without = {}) => {
    const [plain, odd] = [await linesOf(without), await linesOf(quirk)];
    expect(plain.code).toBe(0);
    const changed = odd.lines.filter(({ outcome }, index) => outcome !== plain.lines[index]?.outcome);
    expect(changed).toMatchObject([{ id, found: expect.stringContaining(found) as string }]);
    expect(odd.code).toBe(changed[0]?.outcome === 'FAILS' ? 1 : 0);
  });

  it.each([{ forgetIdsAfterMs: 0 }, { uncancellable: ['.'] }, { listLagMs: 600_000 }])(
    'leaves nothing that runs: %s',
    async (quirk) => {
      const { simulator } = await runProbe(quirk);
      for (const { cancelRequested } of simulator.operations()) {
        expect(cancelRequested).toBe(true);
      }
    },
  );

  it('reports what it could not see in time as unknown', async () => {
    const { code, lines } = await linesOf({ cancelMs: 600_000 });
    expect(code).toBe(0);
    expect(lines.filter(({ outcome }) => outcome === 'UNKNOWN')).toEqual([
      { id: 'cancel', outcome: 'UNKNOWN', found: 'CANCELLING after 60 s' },
      { id: 'ending', outcome: 'UNKNOWN', found: 'it has not ended yet' },
    ]);
  });

  it('says why it could not start', async () => {
    const { code, err } = await runProbe({ denied: { 'ee-project': 'NO_PERMISSION' } });
    expect(code).not.toBe(0);
    expect(err).toContain("Permission 'earthengine.exports.create' denied");
  });

  it('has a judgment for every belief that it lists', async () => {
    const { lines } = await linesOf({});
    expect(lines.map(({ id }) => id)).toEqual(Object.keys(probedBeliefs));
  });
});
