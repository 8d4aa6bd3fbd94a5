import type { SimulatedState } from './operation.ts';
import type { OtherOperations } from './others.ts';
import type { Ending } from './queue.ts';
import type { RefusalReason, SimulatorAnswer, SimulatorRequest } from './request.ts';
import type { CallKind, Fault, SimulatorSettings } from './settings.ts';

/** An operation as it truly is, whatever was answered. Times are ISO 8601. */
export interface TrueOperation {
  readonly name: string;
  readonly project: string;
  readonly requestId: string | undefined;
  readonly identity: string;
  readonly sha256: string;
  readonly description: string;
  readonly destination: string;
  readonly priority: number;
  readonly state: SimulatedState;
  readonly createTime: string;
  readonly startTime: string | undefined;
  readonly endTime: string | undefined;
  readonly cancelRequested: boolean;
}

/** One `video:export` call, in the order in which EE came to it. */
export interface ExportCall {
  readonly at: string;
  readonly project: string;
  readonly identity: string;
  readonly requestId: string | undefined;
  /** SHA-256 of the request's bytes, hex. */
  readonly sha256: string;
  /** HELD: taken off the wire by holdNext; it appears again when it arrives. FAULT: refused or lost before any work. */
  readonly outcome: 'STARTED' | 'REPLAYED' | 'FAULT' | 'HELD' | RefusalReason;
  readonly operation: string | undefined;
  /** False where the caller does not hear of it. */
  readonly answered: boolean;
}

/** What was asked of the simulator so far. */
export interface SimulatorCounters {
  readonly calls: Readonly<Record<CallKind, number>>;
  readonly faults: number;
  readonly projects: Readonly<Record<string, ProjectCounters>>;
}

export interface ProjectCounters {
  /** PENDING, other people's included. */
  readonly pending: number;
  /** Ours that have not ended. */
  readonly active: number;
  readonly peakActive: number;
}

/** A request on a slow way: whoever sent it has given up, and it arrives when released. */
export interface HeldRequest {
  /** Resolves when a request was caught. */
  readonly caught: Promise<void>;
  /** Lets it arrive, after it was caught; the answer is what its sender would have heard. */
  release(): Promise<SimulatorAnswer>;
}

export interface Simulator {
  handle(request: SimulatorRequest): Promise<SimulatorAnswer>;
  readonly settings: Readonly<SimulatorSettings>;
  /** Changes how it behaves from now on. */
  set(settings: Partial<SimulatorSettings>): void;
  /** The next `times` calls of a kind go wrong. */
  failNext(call: CallKind, fault: Fault, times?: number): void;
  /** Catches the next export request: its sender sees the connection break, or nothing at all. */
  holdNext(seen?: 'RESET' | 'SILENCE'): HeldRequest;
  setOthers(project: string, others: Partial<OtherOperations>): void;
  /** Ends an operation now. @throws Error where there is none of that name */
  endOperation(name: string, ending: Ending): void;
  /** EE no longer knows it: 404, and not listed. @throws Error where there is none of that name */
  forgetOperation(name: string): void;
  operations(): readonly TrueOperation[];
  readonly exportCalls: readonly ExportCall[];
  counters(): SimulatorCounters;
}
