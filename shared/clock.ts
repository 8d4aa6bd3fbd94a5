import { setTimeout as wait } from 'node:timers/promises';

/** Time as a parameter: tests advance it, and nothing in the service reads time any other way. */
export interface Clock {
  now(): Date;
  /** Resolves after `ms`; rejects with the signal's reason if aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => wait(ms, undefined, signal ? { signal } : {}),
};

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export function later(date: Date, ms: number): Date {
  return new Date(date.getTime() + ms);
}
