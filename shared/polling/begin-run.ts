import type { EarthEngine } from '../earth-engine/api.ts';
import type { Services } from '../services.ts';
import type { Gate } from '../submission/gate.ts';
import { createListings } from '../submission/listings.ts';
import { createUnfinishedLists } from '../submission/unfinished-lists.ts';
import { paced } from './paced.ts';
import { partsOf, type PollRun, type PollSummary } from './poll-run.ts';

/** A run that begins now, and works for as long as `budgetMs` allows. */
export function beginRun(services: Services, gate: Gate, budgetMs: number): PollRun {
  const { clock, stopping } = services;
  const startedAt = clock.now();
  const summary: PollSummary = {
    due: 0,
    changed: 0,
    submitted: 0,
    waiting: 0,
    rejected: 0,
    lost: 0,
    failed: 0,
    remaining: 0,
    calls: {
      export: 0,
      list: 0,
      get: 0,
    },
    seconds: 0,
  };
  const ends = partsOf(startedAt, budgetMs);
  const earthEngine = counting(paced(services, gate), summary);
  const counted: Services = { ...services, earthEngine };
  return {
    ...counted,
    gate,
    listings: createListings(counted, createUnfinishedLists(counted)),
    summary,
    startedAt,
    ends,
    gates: new Map(),
    failures: new Map(),
    hasDeliveries: false,
    feeds: feedsOf(gate),
    isOver: (part = 'run') => stopping.aborted || clock.now() >= ends[part],
  };
}

const feedsByGate = new WeakMap<Gate, PollRun['feeds']>();

/** What earlier runs of this process know about the queues. */
function feedsOf(gate: Gate): PollRun['feeds'] {
  const feeds = feedsByGate.get(gate) ?? new Map<string, { at: Date; startedPerMs: number }>();
  feedsByGate.set(gate, feeds);
  return feeds;
}

function counting(earthEngine: EarthEngine, { calls }: PollSummary): EarthEngine {
  return {
    startExport: (...call) => {
      calls.export += 1;
      return earthEngine.startExport(...call);
    },
    getOperation: (...call) => {
      calls.get += 1;
      return earthEngine.getOperation(...call);
    },
    listOperations: (...call) => {
      calls.list += 1;
      return earthEngine.listOperations(...call);
    },
    cancelOperation: (...call) => earthEngine.cancelOperation(...call),
    serviceAccount: () => earthEngine.serviceAccount(),
  };
}
