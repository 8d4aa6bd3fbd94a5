import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { note, writeJson } from '../output.ts';
import type { Trouble } from '../troubles.ts';

/** Settings of the simulator (infra/local/simulator/settings.ts). */
type Settings = Readonly<Record<string, unknown>>;

/** Without any trouble. */
const calm: Settings = {
  queueLimit: 3000,
  dailyQuota: null,
  denied: {},
  failing: [],
  stalling: [],
  faultRates: {},
  slowMs: 2000,
};

interface Scene {
  readonly settings: (project: string) => Settings;
  /** What one then sees. */
  readonly seen: string;
}

/** Less than the time for which the service waits for a response, so that calls succeed. */
const SLOW_MS = 2500;

const scenes: Readonly<Record<Trouble, Scene>> = {
  'queue-full': {
    settings: () => ({ queueLimit: 0 }),
    seen: 'New jobs wait for the queue. doctor and show say when the next job tests it. Nothing needs to be done.',
  },
  outage: {
    settings: () => ({ faultRates: { internal: 1 } }),
    seen: 'New jobs wait for Earth Engine, and are rejected only after the deadline that show prints.',
  },
  permission: {
    settings: (project) => ({ denied: { [project]: 'NO_PERMISSION' } }),
    seen: 'New jobs wait for a permission. doctor and show print the missing role and the command that grants it.',
  },
  quota: {
    settings: () => ({ dailyQuota: 0 }),
    seen: 'New jobs wait until the quota resets. After it is raised (simulate off), resume sends them at once.',
  },
  slow: {
    settings: () => ({ faultRates: { slow: 1 }, slowMs: SLOW_MS }),
    seen: 'Each call takes 2.5 seconds. Jobs still start once each.',
  },
  stall: {
    settings: () => ({ stalling: [''] }),
    seen: 'Jobs stop at 73% and never end. show says since when; cancel and retry end it.',
  },
  failure: {
    settings: () => ({ failing: [{ pattern: '', code: 3, message: 'User memory limit exceeded.' }] }),
    seen: 'Jobs fail while they render. show prints the reason and what to do.',
  },
  off: { settings: () => calm, seen: 'Earth Engine works again.' },
};

const TIMEOUT_MS = 5000;

export async function simulate(cli: Cli, trouble: Trouble): Promise<ExitCode> {
  const { environment, isLocal } = await cli.service();
  const host = environment['EARTHENGINE_EMULATOR_HOST'];
  if (!isLocal || !host) {
    throw wrongInput(
      'ARGUMENTS_WRONG',
      'Only the service of npm start has a simulated Earth Engine. Start it, or add --context local.',
    );
  }
  const { earthEngineProject } = await cli.serviceConfig();
  const { settings, seen } = scenes[trouble];
  await change(host, { ...calm, ...settings(earthEngineProject) });
  if (cli.json) {
    writeJson(cli, { simulating: trouble });
    return exitCodes.DONE;
  }
  cli.terminal.out(seen);
  if (trouble !== 'off') {
    note(cli, 'To end it: npx ee-video-exports simulate off');
  }
  return exitCodes.DONE;
}

async function change(host: string, settings: Settings): Promise<void> {
  const response = await fetch(`http://${host}/simulator/settings`, {
    method: 'PATCH',
    body: JSON.stringify(settings),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) {
    throw new CliError('UNEXPECTED', `The simulator at ${host} refused: ${await response.text()}`);
  }
}
