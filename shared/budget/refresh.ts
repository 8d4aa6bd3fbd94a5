import pMap from 'p-map';

import { asError, StaleWriteError } from '../errors.ts';
import {
  type Budget,
  type BudgetEvent,
  type BudgetFigures,
  budgetMatchSchema,
  type BudgetStatus,
} from '../model/budget.ts';
import type { Services } from '../services.ts';
import { budgetQueries } from '../store/budget-queries.ts';
import { type Found, isReadable, type Stored, toReplace } from '../store/store.ts';
import { abbreviate } from '../text.ts';
import { budgetEventId, figuresOf, unknownFigures } from './figures.ts';
import { spendingOf } from './spending.ts';

/** Sums what was spent of every budget, stores it for all instances, and reports thresholds that are reached. */

export type BudgetServices = Pick<Services, 'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'log'>;

export const BUDGET_STATUS_ID = 'current';

/** More than an operator can follow, and few enough that their figures fit into one document: each has up to 4 KB. */
export const MAX_BUDGETS = 200;

/** Limits pending events, so that an outage of the topic leaves room for the figures in their document. */
const MAX_PENDING_BYTES = 150_000;

const SUMS_AT_ONCE = 8;
const MAX_TRIES = 5;
const EVENT_TIMEOUT_MS = 2000;
const MAX_PROBLEM_CHARACTERS = 100;

/**
 * Brings the stored figures up to date. If another process writes them at the same time, its figures are used if they are
 * as recent, and otherwise everything is summed again.
 */
export async function refreshBudgets(services: BudgetServices): Promise<BudgetStatus> {
  const { clock, log } = services;
  for (let tries = 1; ; tries += 1) {
    const computedAt = clock.now();
    const budgets = await readBudgets(services);
    if (budgets.length === 0) {
      return { computedAt, budgets: [] };
    }
    const stored = await readStatus(services);
    const previous = stored && isReadable(stored) ? stored.value : undefined;
    const { figures, events } = await compute(services, budgets, previous, computedAt);
    const pending = newest(services, [...(previous?.unpublishedEvents ?? []), ...events]);
    const next: BudgetStatus = {
      computedAt,
      budgets: figures,
      ...(pending.length > 0 ? { unpublishedEvents: [...pending] } : {}),
    };
    const written = await write(services, stored, next);
    if (written) {
      for (const event of events) {
        log.warning('budget.threshold', { ...event, at: undefined });
      }
      await flush(services, written);
      return next;
    }
    const current = await readStatus(services);
    if (current && isReadable(current) && current.value.computedAt >= computedAt) {
      return current.value;
    }
    if (tries === MAX_TRIES) {
      throw new StaleWriteError(`exportBudgetStatus/${BUDGET_STATUS_ID}`);
    }
  }
}

async function readBudgets({ store, log }: BudgetServices): Promise<Found<Budget>[]> {
  const found = await store.budgets.find(budgetQueries.all(), { limit: MAX_BUDGETS + 1 });
  if (found.length > MAX_BUDGETS) {
    log.error('budget.failed', new Error(`Only the first ${MAX_BUDGETS} budgets count. Remove some.`));
  }
  return found.slice(0, MAX_BUDGETS);
}

/** Drops the oldest events if there is no room for all. */
function newest({ log }: BudgetServices, events: readonly BudgetEvent[]): readonly BudgetEvent[] {
  let bytes = 0;
  const first = events.findLastIndex((event) => {
    bytes += Buffer.byteLength(JSON.stringify(event));
    return bytes > MAX_PENDING_BYTES;
  });
  if (first >= 0) {
    log.error('budget.events_dropped', new Error('Too many events could not be published.'), {
      events: first + 1,
    });
  }
  return events.slice(first + 1);
}

/** Figures that cannot be read are made again: otherwise every job that is held would wait until someone deletes them. */
async function readStatus({ store, log }: BudgetServices): Promise<Found<BudgetStatus> | undefined> {
  const found = await store.budgetStatus.get(BUDGET_STATUS_ID);
  if (found && !isReadable(found)) {
    log.error('budget.status_unreadable', found.unreadable);
  }
  return found;
}

/** @returns undefined if another process wrote them first */
async function write(
  { store }: BudgetServices,
  stored: Found<BudgetStatus> | undefined,
  next: BudgetStatus,
): Promise<Stored<BudgetStatus> | undefined> {
  try {
    if (stored) {
      return await store.budgetStatus.replace(toReplace(stored), next);
    }
    const outcome = await store.budgetStatus.create(BUDGET_STATUS_ID, next);
    return 'created' in outcome ? outcome.created : undefined;
  } catch (error) {
    if (error instanceof StaleWriteError) {
      return undefined;
    }
    throw error;
  }
}

async function compute(
  services: BudgetServices,
  budgets: readonly Found<Budget>[],
  previous: BudgetStatus | undefined,
  now: Date,
): Promise<{ figures: BudgetFigures[]; events: BudgetEvent[] }> {
  const before = new Map(previous?.budgets.map((figures) => [figures.id, figures]));
  const results = await pMap(budgets, (budget) => computeOne(services, budget, before.get(budget.id), now), {
    concurrency: SUMS_AT_ONCE,
  });
  return {
    figures: results.map(({ figures }) => figures),
    events: results.flatMap(({ events }) => events),
  };
}

/** One budget's trouble must not stop the others, or the poll. */
async function computeOne(
  services: BudgetServices,
  found: Found<Budget>,
  previous: BudgetFigures | undefined,
  now: Date,
): Promise<{ figures: BudgetFigures; events: BudgetEvent[] }> {
  const { id } = found;
  try {
    if (!isReadable(found)) {
      throw found.unreadable;
    }
    const spending = await spendingOf(services, id, found.value, previous?.settled, now);
    return figuresOf(id, found.value, spending, previous, now);
  } catch (error) {
    services.log.error('budget.failed', error, { budgetId: id });
    const problem = abbreviate(asError(error).message, MAX_PROBLEM_CHARACTERS);
    return { figures: unknownFigures(id, coverageOf(found), problem, previous), events: [] };
  }
}

/** What a budget covers even if the rest of its document cannot be read: a strict one holds those jobs, or all. */
function coverageOf(found: Found<Budget>): Pick<BudgetFigures, 'match' | 'strict'> {
  if (isReadable(found)) {
    return { match: found.value.match, strict: found.value.strict ?? false };
  }
  const match = budgetMatchSchema.safeParse(found.fields['match']);
  return { match: match.success ? match.data : {}, strict: found.fields['strict'] === true };
}

/** Publishes pending events. Those that fail stay pending, and the next refresh retries them with the same `eventId`. */
async function flush(services: BudgetServices, stored: Stored<BudgetStatus>): Promise<void> {
  const { publisher, config, log, store } = services;
  const { unpublishedEvents: events = [], ...rest } = stored.value;
  if (events.length === 0) {
    return;
  }
  const messages = events.map((event) => ({
    data: Buffer.from(JSON.stringify(event)),
    attributes: {
      eventId: budgetEventId(event),
      kind: 'BUDGET',
      budgetId: event.budgetId,
      action: event.action,
    },
  }));
  const outcomes = await publisher.publish(config.topics.events, messages, EVENT_TIMEOUT_MS);
  const failed = events.filter((_, index) => {
    const outcome = outcomes[index];
    return outcome === undefined || 'error' in outcome;
  });
  if (failed.length > 0) {
    log.warning('event.pending', { budgetId: failed[0]?.budgetId, events: failed.length });
  }
  if (failed.length < events.length) {
    const left = failed.length > 0 ? { unpublishedEvents: failed } : {};
    await store.budgetStatus.replace(stored, { ...rest, ...left }).catch((error: unknown) => {
      // Another process has refreshed the figures: it publishes them once more, with the same eventId.
      if (!(error instanceof StaleWriteError)) {
        throw error;
      }
    });
  }
}
