export { serveSimulator, simulatorFetch, type SimulatorServer } from './http.ts';
export type { SimulatorAnswer, SimulatorReply, SimulatorRequest } from './request.ts';
export { defaultSettings, type CallKind, type Fault, type SimulatorSettings } from './settings.ts';
export type { ExportCall, HeldRequest, Simulator, SimulatorCounters, TrueOperation } from './api.ts';
export { createSimulator, type SimulatorOptions } from './simulator.ts';
