import type { SimulatedState } from './operation.ts';
import type { OtherOperations } from './others.ts';
import type { Ending } from './queue.ts';
import type { RefusalReason, SimulatorAnswer, SimulatorRequest } from './request.ts';
import type { CallKind, Fault, SimulatorSettings } from './settings.ts';
import type { RequestedVideo } from './video.ts';

/** The true state of an operation, whatever responses were sent. Times are ISO 8601. */
export interface TrueOperation {
  readonly name: string;
  readonly project: string;
  readonly requestId: string | undefined;
  readonly identity: string;
  readonly sha256: string;
  readonly description: string;
  readonly destination: string;
  readonly priority: number;
  readonly video: RequestedVideo;
  readonly state: SimulatedState;
  readonly createTime: string;
  readonly startTime: string | undefined;
  readonly endTime: string | undefined;
  readonly cancelRequested: boolean;
}

/** One `video:export` call, in the order in which Earth Engine processed it. */
export interface ExportCall {
  readonly at: string;
  readonly project: string;
  readonly identity: string;
  readonly requestId: string | undefined;
  /** SHA-256 of the request's bytes, hex. */
  readonly sha256: string;
  /** HELD: intercepted by holdNext, and recorded once more when it arrives. FAULT: refused or lost before any work. */
  readonly outcome: 'STARTED' | 'REPLAYED' | 'FAULT' | 'HELD' | RefusalReason;
  readonly operation: string | undefined;
  /** False if the caller did not receive the response. */
  readonly answered: boolean;
}

/** The calls that the simulator has received so far. */
export interface SimulatorCounters {
  readonly calls: Readonly<Record<CallKind, number>>;
  readonly faults: number;
  /** Calls that got a 429 because their project exceeded `requestsPerSecond`. */
  readonly overRate: number;
  /** By owner of a queue: a project, or a caller. */
  readonly projects: Readonly<Record<string, ProjectCounters>>;
}

export interface ProjectCounters {
  /** PENDING operations, including those of other users. */
  readonly pending: number;
  /** Operations that this simulator created and that have not ended. */
  readonly active: number;
  readonly peakActive: number;
}

/** A delayed request: its sender has given up, and it arrives when it is released. */
export interface HeldRequest {
  /** Resolves when a request has been intercepted. */
  readonly caught: Promise<void>;
  /** Lets the intercepted request arrive. Resolves with the response that its sender would have received. */
  release(): Promise<SimulatorAnswer>;
}

export interface Simulator {
  handle(request: SimulatorRequest): Promise<SimulatorAnswer>;
  readonly settings: Readonly<SimulatorSettings>;
  /** Changes the behavior from now on. */
  set(settings: Partial<SimulatorSettings>): void;
  /** The next `times` calls of a kind fail in this way. */
  failNext(call: CallKind, fault: Fault, times?: number): void;
  /** Intercepts the next export request: its sender's connection breaks, or stays silent. */
  holdNext(seen?: 'RESET' | 'SILENCE'): HeldRequest;
  setOthers(project: string, others: Partial<OtherOperations>): void;
  /** Ends an operation now. @throws Error if there is no operation of this name */
  endOperation(name: string, ending: Ending): void;
  /** Earth Engine forgets the operation: 404, and not listed. @throws Error if there is no operation of this name */
  forgetOperation(name: string): void;
  operations(): readonly TrueOperation[];
  readonly exportCalls: readonly ExportCall[];
  counters(): SimulatorCounters;
}
