import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/*
 * Preloaded into a measured process. On SIGUSR2, it prints its peak resident memory and the longest stall of its event loop
 * since the previous signal, as one line of JSON among its log lines.
 */
const TICK_MS = 10;
let stallMs = 0;
let last = performance.now();

setInterval(() => {
  const now = performance.now();
  stallMs = Math.max(stallMs, now - last - TICK_MS);
  last = now;
}, TICK_MS).unref();

process.on('SIGUSR2', () => {
  const [, peakKib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  console.log(JSON.stringify({ peakMib: Number(peakKib) / 1024, stallMs }));
  stallMs = 0;
});
