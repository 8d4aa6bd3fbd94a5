import { requestIdOf } from '../../shared/model/ids.ts';
import type { Job } from '../../shared/model/job.ts';
import {
  afterEmptySearch,
  afterRefusal,
  lastSendEndedAt,
  mayGiveUpId,
  mayHaveUnknownOperation,
} from '../../shared/record/proof.ts';
import {
  type ExportRecord,
  isTerminal,
  isInSubmission,
  type RecordError,
  type SubmittingRecord,
  type RecordInSubmission,
} from '../../shared/model/record.ts';
import { cancelUnsent, requestCancellation } from '../../shared/record/cancellation.ts';
import { claim, enqueue } from '../../shared/record/new-records.ts';
import {
  claimAgain,
  findingsOf,
  isHeldBack,
  nextGeneration,
  type SendFindings,
  sentByOtherAccount,
  type Wait,
} from '../../shared/record/transitions.ts';
import { afterOperation, shouldCancel } from '../../shared/submission/note-operation.ts';
import { afterSearchWithoutSlot, giveBack, putOffUnsent } from '../../shared/record/give-back.ts';
import { accept } from './earth-engine.ts';
import {
  type Answer,
  at,
  type Holder,
  type ModelOperation,
  policy,
  type Process,
  type Step,
  TICK_MS,
  toOperation,
  type UnfinishedList,
  type World,
} from './world.ts';

/**
 * What a process of the service can do next. The order of calls is that of submit, resume, and send; every decision
 * about a record is made by the product's own function.
 */

/** Parts of the protocol that a control run removes. */
export interface Rules {
  /** Rule 1: a sender's decision is written only while it holds the claim. */
  readonly fence: boolean;
  /** Rule 3: nothing is posted after the lease. */
  readonly leaseCheck: boolean;
  /** Step 7 of submit: a claim whose lease is over is taken over. */
  readonly takeOver: boolean;
  /** Rule 6: an id is given up only if absence is proven. */
  readonly proof: boolean;
  /** Rule 8: a canceled job with an unanswered send is searched for. */
  readonly cancelSearches: boolean;
  /** Rule 5: a list that may hide the operation proves nothing. */
  readonly conclusive: boolean;
  /** Rule 5: after a marker was missing, lists prove nothing. */
  readonly markerFlag: boolean;
  /** Rule 5: a list that takes several runs starts with its first page. */
  readonly listStart: boolean;
  /** Rule 7: what is not proven within the deadline is LOST. */
  readonly deadline: boolean;
  /** Rule 11: another account's sends count as unanswered. */
  readonly otherAccounts: boolean;
}

export const allRules: Rules = {
  fence: true,
  leaseCheck: true,
  takeOver: true,
  proof: true,
  cancelSearches: true,
  conclusive: true,
  markerFlag: true,
  listStart: true,
  deadline: true,
  otherAccounts: true,
};

export interface Move {
  readonly what: string;
  readonly world: World;
}

const RECORD_ID = `ve1-${'a'.repeat(32)}`;

const job: Job = {
  recordId: RECORD_ID,
  jobKey: 'model',
  attempt: 1,
  project: 'demo-model',
  batchId: undefined,
  labels: {},
  contentHash: 'hash',
  destination: 'gs://bucket/prefix',
  request: {
    expression: { result: '0', values: {} },
    fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'bucket' } },
  },
};

const error: RecordError = { code: 0, status: '', message: '', retryable: true };
const MAX_TRIES = 2;
/** For all tries of a claim together. */
const TIMEOUT_MS = TICK_MS;

export function movesOf(world: World, index: number, rules: Rules): Move[] {
  const process = world.processes[index];
  if (process === undefined) {
    return [];
  }
  const self = createSelf(world, index, process);
  const name = `${process.kind} ${index + 1}`;
  return stepsOf(world, process, self, rules).map(({ what, world: next }) => ({
    what: `${name}: ${what}`,
    world: next,
  }));
}

type Self = ReturnType<typeof createSelf>;

function createSelf(world: World, index: number, { kind, account }: Process) {
  const go = (step: Step, changed: Partial<World> = {}): World => ({
    ...world,
    ...changed,
    processes: world.processes.map((other, place) => (place === index ? { ...step, kind, account } : other)),
  });
  return {
    go,
    /** A delivery is acknowledged; a poller goes on polling. */
    rest: (changed?: Partial<World>): World => go({ at: kind === 'delivery' ? 'done' : 'ready' }, changed),
    write: (record: ExportRecord): Partial<World> => ({ record, version: world.version + 1 }),
    moment: { now: at(world.nowMs), random: 0 },
  };
}

function stepsOf(world: World, process: Process, self: Self, rules: Rules): Move[] {
  switch (process.at) {
    case 'done':
      return [];
    case 'ready':
      return process.kind === 'delivery' ? deliver(world, process, self) : poll(world, process, self, rules);
    case 'searched':
      return [takeOver(world, process, self, rules), ...giveBackWithoutSlot(world, process, self)];
    case 'holding':
      return send(world, process.holder, process, self, rules);
    case 'answered':
      return conclude(world, process.holder, process.answer, self, rules);
    case 'cancelling':
      return [
        { what: 'cancels at Earth Engine', world: cancelAtEarthEngine(world, self, process.operation) },
      ];
  }
}

function deliver(world: World, { account }: Process, self: Self): Move[] {
  if (world.record) {
    return [{ what: 'finds the record, acknowledges', world: self.rest() }];
  }
  const source = { requestId: RECORD_ID, description: RECORD_ID, messageId: '1', serviceAccount: account };
  const token = `t${world.tokens}`;
  const record = claim(job, source, token, policy, at(world.nowMs));
  const tokens = world.tokens + 1;
  const holding = holderOf(world, record, RECORD_ID);
  const queued = enqueue(job, source, 'QUEUE', at(world.nowMs), at(world.nowMs));
  return [
    { what: 'claims', world: self.go({ at: 'holding', holder: holding }, { ...self.write(record), tokens }) },
    { what: 'queues', world: self.rest(self.write(queued)) },
  ];
}

function holderOf(world: World, record: SubmittingRecord, requestId: string): Holder {
  return {
    token: record.claim.token,
    deadlineMs: world.nowMs + TIMEOUT_MS,
    requestId,
    record,
    findings: findingsOf(record),
    tries: 0,
  };
}

function isDue(record: RecordInSubmission, nowMs: number): boolean {
  const queues =
    record.state === 'WAITING' && (record.waitingFor === 'QUEUE' || record.waitingFor === 'RATE');
  return queues || record.dueAt.getTime() <= nowMs;
}

function poll(world: World, { account }: Process, self: Self, rules: Rules): Move[] {
  const { record, nowMs, version } = world;
  if (!record) {
    return [];
  }
  const moves = sweep(world, record, self);
  const isTakenUp = rules.takeOver || record.state !== 'SUBMITTING';
  if (isInSubmission(record) && isDue(record, nowMs) && isTakenUp) {
    const mustSearch =
      mayHaveUnknownOperation(record) || (rules.otherAccounts && sentByOtherAccount(record, account));
    if (mustSearch && world.list) {
      // A list that was begun is read to its end before another one begins.
      return [...moves, ...readOn(world, world.list, record, self, rules)];
    }
    if (mustSearch) {
      moves.push(...beginList(world, record, self));
    }
    const now = at(nowMs);
    for (const { listed, spent, hides, isHiding } of listings(world)) {
      const inconclusive = isInconclusive(world, isHiding, rules);
      const search = mustSearch ? { startedAt: now, endedAt: now, inconclusive } : undefined;
      const found = mustSearch ? listed[0] : undefined;
      if (found) {
        moves.push(...noted(world, found, self, 'finds it in a search'));
      } else {
        const step: Step = { at: 'searched', seen: version, record, search };
        moves.push({
          what: search ? `searches, finds none${hides}` : 'reads it',
          world: self.go(step, spent),
        });
      }
      if (!mustSearch) {
        break;
      }
    }
  }
  return moves;
}

/** The list takes longer than the run, and its first part does not show the operation. */
function beginList(world: World, record: RecordInSubmission, self: Self): Move[] {
  const { budget, nowMs } = world;
  if (budget.long === 0) {
    return [];
  }
  const how: Wait = { waitingFor: 'ADOPTION', error, dueNow: true };
  const isWaiting = record.state === 'WAITING' && record.unsettledSince !== undefined;
  const token = `t${world.tokens}`;
  const changed = isWaiting ? {} : self.write(putOffUnsent(record, how, token, policy, self.moment));
  return listings(world).map(({ listed, spent, hides, isHiding }) => ({
    what: `begins a long list${hides}`,
    world: self.rest({
      ...changed,
      tokens: world.tokens + 1,
      budget: { ...budget, ...spent.budget, long: budget.long - 1 },
      list: { startedAtMs: nowMs, later: listed.map(({ name }) => name), isHiding },
    }),
  }));
}

/** The rest of a list shows what was listed when it began. What was not may be in the first part, which was read before. */
function readOn(
  world: World,
  list: UnfinishedList,
  record: RecordInSubmission,
  self: Self,
  rules: Rules,
): Move[] {
  const moves: Move[] = [];
  const startedAt = at(list.startedAtMs);
  for (const { listed, spent, hides, isHiding } of listings(world)) {
    const shown = [listed, listed.filter(({ name }) => list.later.includes(name))];
    for (const [found] of shown[0]?.length === shown[1]?.length ? [listed] : shown) {
      if (found) {
        moves.push(
          ...noted({ ...world, list: undefined }, found, self, 'finds it at the end of a long list'),
        );
      } else if (startedAt < lastSendEndedAt(record)) {
        moves.push({
          what: `reads a long list to its end, which began too early${hides}`,
          world: self.rest({ ...spent, list: undefined }),
        });
      } else {
        const inconclusive = isInconclusive(world, isHiding || list.isHiding, rules);
        const now = at(world.nowMs);
        const search = { startedAt: rules.listStart ? startedAt : now, endedAt: now, inconclusive };
        const step: Step = { at: 'searched', seen: world.version, record, search };
        moves.push({
          what: `reads a long list to its end, finds none${hides}`,
          world: self.go(step, { ...spent, list: undefined }),
        });
      }
    }
  }
  return moves;
}

interface ModelListing {
  readonly listed: readonly ModelOperation[];
  readonly spent: Partial<World>;
  readonly hides: string;
  /** It shows an operation without a description, which is younger than the record. */
  readonly isHiding: boolean;
}

/** What a list may show: everything, not the operations younger than T, or operations without their descriptions. */
function listings({ operations, nowMs, budget, dropsMarkers }: World): ModelListing[] {
  if (dropsMarkers) {
    // Their descriptions are cut, so nothing shows that they could be ours.
    return [{ listed: [], spent: {}, hides: ' (markers are cut)', isHiding: false }];
  }
  const shown: ModelListing[] = [{ listed: operations, spent: {}, hides: '', isHiding: false }];
  const old = operations.filter(({ sentAtMs }) => nowMs - sentAtMs >= policy.absenceMs);
  if (old.length < operations.length && budget.lag > 0) {
    const spent = { budget: { ...budget, lag: budget.lag - 1 } };
    shown.push({ listed: old, spent, hides: ' (the list lags)', isHiding: false });
  }
  if (operations.length > 0 && budget.hide > 0) {
    const spent = { budget: { ...budget, hide: budget.hide - 1 } };
    shown.push({ listed: [], spent, hides: ' (without descriptions)', isHiding: true });
  }
  return shown;
}

const isInconclusive = ({ dropsMarkers }: World, isHiding: boolean, rules: Rules): boolean =>
  (isHiding && rules.conclusive) || (dropsMarkers && rules.markerFlag);

/** The sweep sees one operation, which may be known already. */
function sweep(world: World, record: ExportRecord, self: Self): Move[] {
  // Without a marker, only an operation whose name is known is seen.
  const isSeen = ({ name }: ModelOperation): boolean =>
    !world.dropsMarkers || ('operation' in record && record.operation === name);
  return world.operations.filter(isSeen).flatMap((operation) => {
    const found = { operation: toOperation(operation), requestId: operation.requestId };
    const isNew = afterOperation(record, found, policy, self.moment) !== undefined;
    return isNew || shouldCancel(record, found) ? noted(world, operation, self, 'sweeps') : [];
  });
}

/** Any process may record an operation. The cancellation comes after the write, and a crash may happen in between. */
function noted(world: World, operation: ModelOperation, self: Self, what: string): Move[] {
  const { record } = world;
  if (!record) {
    return [];
  }
  const found = { operation: toOperation(operation), requestId: operation.requestId };
  const next = afterOperation(record, found, policy, self.moment);
  const changed = next ? self.write(next) : {};
  return [
    {
      what: `${what}: ${operation.name} is ${operation.state}`,
      world: shouldCancel(next ?? record, found)
        ? self.go({ at: 'cancelling', operation: operation.name }, changed)
        : self.rest(changed),
    },
  ];
}

function cancelAtEarthEngine(world: World, self: Self, name: string): World {
  return self.rest({
    operations: world.operations.map((each) =>
      each.name === name && each.state === 'PENDING' ? { ...each, cancelRequested: true } : each,
    ),
  });
}

function takeOver(world: World, process: Process & { at: 'searched' }, self: Self, rules: Rules): Move {
  const { record, search, seen, account } = process;
  if (seen !== world.version) {
    return { what: 'is too late to claim', world: self.rest() };
  }
  const by = { token: `t${world.tokens}`, serviceAccount: account, search };
  const known = rules.otherAccounts ? record : { ...record, serviceAccount: account };
  const claimed = claimAgain(known, by, policy, at(world.nowMs));
  const holder = holderOf(world, claimed, world.storedId);
  const changed = { ...self.write(claimed), tokens: world.tokens + 1 };
  return { what: 'claims again', world: self.go({ at: 'holding', holder }, changed) };
}

/** There is no slot: what the search proved is written, and nothing is sent. */
function giveBackWithoutSlot(world: World, process: Process & { at: 'searched' }, self: Self): Move[] {
  const { record, search, seen } = process;
  const { budget, tokens } = world;
  if (budget.noSlot === 0 || seen !== world.version || !search || record.state !== 'WAITING') {
    return [];
  }
  if (record.waitingFor !== 'ADOPTION' || isHeldBack(record, record.serviceAccount)) {
    return [];
  }
  const next = afterSearchWithoutSlot(record, search, `t${tokens}`, policy, self.moment);
  const spent = { tokens: tokens + 1, budget: { ...budget, noSlot: budget.noSlot - 1 } };
  return [{ what: 'has no slot for it', world: self.rest({ ...self.write(next), ...spent }) }];
}

/** The record, if the holder may still decide about it. */
function held({ record }: World, { token }: Holder, rules: Rules): SubmittingRecord | undefined {
  if (record?.state === 'SUBMITTING' && (record.claim.token === token || !rules.fence)) {
    return record;
  }
  return undefined;
}

function send(world: World, holder: Holder, { account }: Process, self: Self, rules: Rules): Move[] {
  const { record, findings, tries, deadlineMs } = holder;
  if (tries === 0) {
    if (rules.cancelSearches ? isHeldBack(record, account) : sentByOtherAccount(record, account)) {
      const how: Wait = { waitingFor: 'ADOPTION', error, rejecting: record.rejecting ?? false };
      return [putOff(world, holder, findings, how, self, rules, 'holds it back')];
    }
    if (findings.unanswered > 0 && givesUp(findings, rules)) {
      return [giveUp(world, holder, self, rules)];
    }
  } else if (!held(world, holder, rules) || world.record?.cancelRequestedAt) {
    const how: Wait = { waitingFor: 'SERVICE', error };
    return [putOff(world, holder, findings, how, self, rules, 'sends no more')];
  }
  if (rules.leaseCheck && world.nowMs > deadlineMs) {
    const how: Wait = { waitingFor: 'SERVICE', error };
    return [putOff(world, holder, findings, how, self, rules, 'has no time left')];
  }
  const tried: Holder = { ...holder, tries: tries + 1, findings: { ...findings, sends: findings.sends + 1 } };
  const { requestId } = holder;
  return accept(world, { requestId, account, sentAtMs: world.nowMs }).map(({ what, answer, changed }) => ({
    what: `posts ${idOf(requestId)}, ${what}`,
    world: self.go({ at: 'answered', holder: tried, answer }, changed),
  }));
}

const idOf = (requestId: string): string => requestId.replace(RECORD_ID, 'id');

function givesUp(findings: SendFindings, rules: Rules): boolean {
  return rules.proof ? mayGiveUpId(findings, policy) : findings.searches !== undefined;
}

function conclude(world: World, holder: Holder, answer: Answer, self: Self, rules: Rules): Move[] {
  const { findings } = holder;
  switch (answer.kind) {
    case 'OPERATION': {
      const operation = world.operations.find((each) => each.name === answer.name);
      return operation ? noted(world, operation, self, 'records the answer') : [];
    }
    case 'FULL':
      return [putOff(world, holder, findings, { waitingFor: 'QUEUE', error }, self, rules, 'waits: full')];
    case 'REFUSED': {
      const how: Wait = { waitingFor: 'ADOPTION', error, rejecting: true };
      return [putOff(world, holder, findings, how, self, rules, 'is refused for good')];
    }
    case 'UNANSWERED': {
      const unanswered = findings.unanswered + 1;
      const worse: SendFindings = {
        ...findings,
        unanswered,
        sentUntil: self.moment.now,
        searches: undefined,
      };
      const given = putOff(
        world,
        holder,
        worse,
        { waitingFor: 'SERVICE', error },
        self,
        rules,
        'gives it back',
      );
      const again: Step = { at: 'holding', holder: { ...holder, findings: worse } };
      return holder.tries < MAX_TRIES ? [{ what: 'tries again', world: self.go(again) }, given] : [given];
    }
    case 'USED':
      return listings(world).flatMap((listing) => adopt(world, holder, listing, self, rules));
  }
}

function adopt(
  world: World,
  holder: Holder,
  { listed, spent, hides, isHiding }: ModelListing,
  self: Self,
  rules: Rules,
): Move[] {
  const [found] = listed;
  if (found) {
    return noted(world, found, self, 'adopts');
  }
  const now = at(world.nowMs);
  const inconclusive = isInconclusive(world, isHiding, rules);
  const refused = afterRefusal(holder.findings.searches, now);
  const searches = afterEmptySearch(refused, { startedAt: now, endedAt: now, inconclusive });
  const findings: SendFindings = { ...holder.findings, searches };
  const after: World = { ...world, ...spent };
  if (givesUp(findings, rules)) {
    const move = giveUp(after, { ...holder, findings }, createSelfAgain(after, self), rules);
    return [{ ...move, what: `${move.what}${hides}` }];
  }
  const how: Wait = { waitingFor: 'ADOPTION', error };
  return [putOff(after, holder, findings, how, createSelfAgain(after, self), rules, `cannot adopt${hides}`)];
}

/** The same process after the world has changed. */
function createSelfAgain(world: World, self: Self): Self {
  return {
    ...self,
    go: (step, changed) => self.go(step, { budget: world.budget, ...changed }),
    rest: (changed) => self.rest({ budget: world.budget, ...changed }),
  };
}

function giveUp(world: World, holder: Holder, self: Self, rules: Rules): Move {
  const record = held(world, holder, rules);
  const { findings } = holder;
  if (!record || record.cancelRequestedAt) {
    const how: Wait = { waitingFor: 'ADOPTION', error };
    return putOff(world, holder, findings, how, self, rules, 'may not continue');
  }
  const requestId = requestIdOf(RECORD_ID, record.generation + 1);
  const next = nextGeneration(record, findings, { requestId, description: requestId }, at(world.nowMs));
  const step: Step = {
    at: 'holding',
    holder: { ...holder, record: next, requestId, findings: findingsOf(next), tries: 0 },
  };
  return {
    what: `gives the id up for ${idOf(requestId)}`,
    world: self.go(step, { ...self.write(next), storedId: requestId }),
  };
}

function putOff(
  world: World,
  holder: Holder,
  findings: SendFindings,
  how: Wait,
  self: Self,
  rules: Rules,
  what: string,
): Move {
  const record = held(world, holder, rules);
  const limits = rules.deadline ? policy : { ...policy, submitDeadlineMs: Infinity };
  const next = record && giveBack(record, findings, how, limits, self.moment);
  return { what, world: self.rest(next ? self.write(next) : {}) };
}

/** A cancellation is requested: what the cancellation function decides. */
export function cancellation(world: World, rules: Rules): Move[] {
  const { record, budget, nowMs, version } = world;
  if (budget.cancel === 0 || !record || isTerminal(record) || record.cancelRequestedAt) {
    return [];
  }
  const isUnsent = record.state === 'WAITING' && (record.unanswered === 0 || !rules.cancelSearches);
  const next = isUnsent ? cancelUnsent(record, policy, at(nowMs)) : requestCancellation(record, at(nowMs));
  return [
    {
      what: 'the job is canceled',
      world: {
        ...world,
        record: next,
        version: version + 1,
        budget: { ...budget, cancel: budget.cancel - 1 },
      },
    },
  ];
}

export const tick = (world: World): Move => ({
  what: 'time passes',
  world: {
    ...world,
    nowMs: world.nowMs + TICK_MS,
    // A request that did not arrive within T is lost.
    inFlight: world.inFlight.filter((each) => each.sentAtMs + policy.absenceMs > world.nowMs + TICK_MS),
  },
});
