import type { SimulatorRequest } from './request.ts';
import type { CallKind, Fault, SimulatorSettings } from './settings.ts';

/** Decides which fault a request gets: first those that a test scripted, then its hook, then chance. */
export interface Faults {
  next(call: CallKind, request: SimulatorRequest): Fault | undefined;
  /** The next `times` requests of this kind get this fault, after those scripted before. */
  script(call: CallKind, fault: Fault, times?: number): void;
}

export type RequestHook = (request: SimulatorRequest, call: CallKind) => Fault | undefined;

export function createFaults(
  settings: SimulatorSettings,
  random: () => number,
  hook: RequestHook | undefined,
): Faults {
  const scripted = new Map<CallKind, Fault[]>();
  return {
    next: (call, request) =>
      scripted.get(call)?.shift() ?? hook?.(request, call) ?? drawFault(call, settings, random),
    script(call, fault, times = 1) {
      const queue = scripted.get(call) ?? [];
      scripted.set(call, queue);
      for (let i = 0; i < times; i++) {
        queue.push(fault);
      }
    },
  };
}

function drawFault(
  call: CallKind,
  { faultRates, faultyCalls, slowMs }: SimulatorSettings,
  random: () => number,
): Fault | undefined {
  if (!faultyCalls.includes(call)) {
    return undefined;
  }
  const table: readonly [number | undefined, Fault][] = [
    [faultRates.tooManyRequests, tooManyRequests],
    [faultRates.internal, { kind: 'status', status: 500, message: 'Internal error.' }],
    [faultRates.html, { kind: 'html' }],
    [faultRates.reset, { kind: 'reset' }],
    [faultRates.lost, { kind: 'lost' }],
    [faultRates.silence, { kind: 'silence', worked: random() < 0.5 }],
    [faultRates.slow, { kind: 'slow', ms: slowMs }],
  ];
  let chance = random();
  for (const [rate = 0, fault] of table) {
    if (chance < rate) {
      return fault;
    }
    chance -= rate;
  }
  return undefined;
}

export const tooManyRequests: Fault = {
  kind: 'status',
  status: 429,
  message:
    'Too Many Requests: Request was rejected because the request rate or concurrency limit was exceeded.',
};
