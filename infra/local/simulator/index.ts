export type { ExportCall, Simulator, TrueOperation } from './api.ts';
export { serveSimulator, simulatorFetch, type SimulatorServer } from './http.ts';
export type { SimulatorRequest } from './request.ts';
export type { CallKind, Fault, SimulatorSettings } from './settings.ts';
export { createSimulator, type SimulatorOptions } from './simulator.ts';
