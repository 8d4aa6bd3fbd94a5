import {
  createSimulator,
  type Simulator,
  type SimulatorOptions,
  type SimulatorSettings,
} from '../../../../infra/local/simulator/index.ts';
import { exportRequest } from './requests.ts';

export const different = 'A different Operation was already started with the given request_id';

/** The parts of Earth Engine's responses that tests read. */
export interface Answer {
  readonly status: number;
  readonly json: {
    readonly name: string;
    readonly done?: boolean;
    readonly metadata: Readonly<Record<string, unknown>> & { readonly state?: string };
    readonly operations?: readonly { readonly name: string }[];
    readonly nextPageToken?: string;
    readonly error?: { readonly message: string; readonly status: string };
    readonly response?: object;
    readonly registrationState?: string;
  };
}

/** A simulator whose clock a test advances, and functions that call it as a client would. */
export interface Rig {
  readonly simulator: Simulator;
  pass(ms: number): void;
  send(method: string, path: string, body?: Uint8Array, token?: string): ReturnType<Simulator['handle']>;
  /** @throws Error if there is no response */
  ask(method: string, path: string, body?: Uint8Array, token?: string): Promise<Answer>;
  start(change: Record<string, unknown>, project?: string, token?: string): Promise<Answer>;
  get(name: string): Promise<Answer>;
  outcomes(): readonly string[];
}

/** By default, operations start at once and run for a second, two at a time. */
export function createRig(
  settings: Partial<SimulatorSettings> = {},
  more: Pick<SimulatorOptions, 'sleep' | 'onRequest'> = {},
): Rig {
  let timeMs = Date.UTC(2026, 10, 23, 12);
  const simulator = createSimulator({
    now: () => new Date(timeMs),
    sleep: () => Promise.resolve(),
    ...more,
    settings: { pendingMs: 0, runMs: [1000, 1000], concurrency: 2, startsPerSecond: 1e6, ...settings },
  });
  const send: Rig['send'] = (method, path, body = new Uint8Array(), token) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return simulator.handle({ method, path, headers, body });
  };
  const ask: Rig['ask'] = async (...request) => {
    const answer = await send(...request);
    if (typeof answer === 'string') {
      throw new Error(`The response was ${answer}`);
    }
    return { status: answer.status, json: JSON.parse(answer.body) as Answer['json'] };
  };
  return {
    simulator,
    pass(ms) {
      timeMs += ms;
    },
    send,
    ask,
    start: (change, project = 'p', token) =>
      ask('POST', `/v1/projects/${project}/video:export`, exportRequest(change), token),
    get: (name) => ask('GET', `/v1/${name}`),
    outcomes: () => simulator.exportCalls.map(({ outcome }) => outcome),
  };
}
