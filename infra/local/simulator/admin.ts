import { z } from 'zod';

import type { Simulator } from './api.ts';
import { jsonReply, Refusal, refusalReply, type SimulatorReply, type SimulatorRequest } from './request.ts';
import { defaultSettings, type CallKind, type Fault, type SimulatorSettings } from './settings.ts';

/*
 * The simulator's own endpoints, for a stack that consists of several processes. Requests and responses are JSON:
 *
 *   GET   /simulator/operations         the true state of every operation
 *   GET   /simulator/export-calls       every video:export call, in order
 *   GET   /simulator/counters           calls by kind, and queue lengths
 *   GET   /simulator/process            {pid}: which process it is
 *   GET   /simulator/settings           and PATCH to change some of them
 *   POST  /simulator/faults             {call, fault, times?}
 *   POST  /simulator/others             {project, ended?, running?, pending?}
 *   POST  /simulator/operations:end     {name, state, error?}
 *   POST  /simulator/operations:forget  {name}
 */

const callKinds = [
  'export',
  'list',
  'get',
  'cancel',
  'config',
  'algorithms',
  'unknown',
] as const satisfies CallKind[];
const count = z.int().min(0).default(0);

const settingsSchema = z.partialRecord(
  z.enum(Object.keys(defaultSettings) as [keyof SimulatorSettings, ...(keyof SimulatorSettings)[]]),
  z.unknown(),
);
const faultSchema = z.strictObject({
  call: z.enum(callKinds),
  fault: z.looseObject({
    kind: z.enum(['status', 'html', 'reset', 'lost', 'silence', 'slow', 'garbled', 'unreachable']),
  }),
  times: z.int().min(1).default(1),
});
const othersSchema = z.strictObject({ project: z.string(), ended: count, running: count, pending: count });
const endSchema = z.strictObject({
  name: z.string(),
  state: z.enum(['SUCCEEDED', 'FAILED', 'CANCELLED']),
  error: z.strictObject({ code: z.int(), message: z.string() }).optional(),
});
const forgetSchema = z.strictObject({ name: z.string() });

type Handler = (simulator: Simulator, body: unknown) => unknown;

const handlers: Readonly<Record<string, Handler>> = {
  'GET /simulator/operations': (simulator) => simulator.operations(),
  'GET /simulator/export-calls': (simulator) => simulator.exportCalls,
  'GET /simulator/counters': (simulator) => simulator.counters(),
  'GET /simulator/process': () => ({ pid: process.pid }),
  'GET /simulator/settings': (simulator) => simulator.settings,
  'PATCH /simulator/settings': (simulator, body) => {
    simulator.set(settingsSchema.parse(body) as Partial<SimulatorSettings>);
    return simulator.settings;
  },
  'POST /simulator/faults': (simulator, body) => {
    const { call, fault, times } = faultSchema.parse(body);
    simulator.failNext(call, fault as Fault, times);
  },
  'POST /simulator/others': (simulator, body) => {
    const { project, ...others } = othersSchema.parse(body);
    simulator.setOthers(project, others);
  },
  'POST /simulator/operations:end': (simulator, body) => {
    const { name, ...ending } = endSchema.parse(body);
    simulator.endOperation(name, ending);
  },
  'POST /simulator/operations:forget': (simulator, body) =>
    simulator.forgetOperation(forgetSchema.parse(body).name),
};

export function answerAdmin(simulator: Simulator, { method, path, body }: SimulatorRequest): SimulatorReply {
  const handler = handlers[`${method} ${path}`];
  if (!handler) {
    return refusalReply(new Refusal(404, `The simulator has no ${method} ${path}.`));
  }
  try {
    const json: unknown = body.byteLength === 0 ? undefined : JSON.parse(new TextDecoder().decode(body));
    return jsonReply(JSON.stringify(handler(simulator, json) ?? {}));
  } catch (error) {
    return refusalReply(new Refusal(400, error instanceof Error ? error.message : String(error)));
  }
}
