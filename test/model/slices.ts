import type { Options } from './explore.ts';
import type { Rules } from './protocol.ts';

/** What the model explores: each slice is a few processes and a few faults, in every order. */

type Slice = Omit<Options, 'maxStates' | 'rules'> & { readonly name: string };

const alone = { deliveries: 1, pollers: 1 };

export const slices: readonly Slice[] = [
  { name: 'a crash anywhere', budget: { crash: 1 }, ...alone },
  {
    name: 'another account polls; crash, lagging list',
    budget: { crash: 1, lag: 1 },
    pollersAccount: 'b',
    ...alone,
  },
  {
    name: 'an unanswered send, a refused replay, a lagging list',
    budget: { unanswered: 1, refusal: 1, lag: 1 },
    ...alone,
  },
  { name: 'an unanswered send and a cancellation', budget: { unanswered: 1, cancel: 1, lag: 1 }, ...alone },
  {
    name: 'an unanswered send, lists without descriptions, a refusal, a cancellation',
    budget: { unanswered: 1, refusal: 2, hide: 2, cancel: 1 },
    ...alone,
  },
  {
    name: 'markers are missing; an unanswered send, a refusal, a cancellation',
    budget: { unanswered: 1, refusal: 2, refusedForGood: 1, cancel: 1 },
    dropsMarkers: true,
    ...alone,
  },
  {
    name: 'an unanswered send, lists that take two runs, a refusal, a cancellation',
    budget: { unanswered: 1, long: 2, refusal: 2, cancel: 1 },
    ...alone,
  },
  { name: 'a full queue uses up ids', budget: { unanswered: 1, queueFull: 2, refusal: 1 }, ...alone },
  {
    name: 'an unanswered send, refusals, no slot, a lagging list, a cancellation',
    budget: { unanswered: 1, refusal: 2, noSlot: 2, lag: 1, cancel: 1 },
    ...alone,
  },
  { name: 'two deliveries, two pollers, a crash', budget: { crash: 1, unanswered: 1, refusal: 1 } },
  {
    name: 'two deliveries, two pollers, everything',
    budget: { crash: 1, unanswered: 2, refusal: 2, queueFull: 1, refusedForGood: 1, cancel: 1, lag: 2 },
  },
];

/** Slices with one rule removed: the model must find the schedule that breaks the promise. */
export const controls: readonly (Slice & { readonly without: keyof Rules; readonly breaks: RegExp })[] = [
  {
    name: 'rule 1, the fence',
    without: 'fence',
    breaks: /^REJECTED although Earth Engine has an operation$/,
    budget: { refusedForGood: 1 },
    ...alone,
  },
  {
    name: 'rule 3, the check of the lease before a POST',
    without: 'leaseCheck',
    breaks: /^CANCELLED although Earth Engine has an operation$/,
    budget: { cancel: 1 },
    ...alone,
  },
  {
    name: 'rule 5, which counts no list that hides descriptions',
    without: 'conclusive',
    breaks: /^two operations for one job$/,
    budget: { unanswered: 1, refusal: 2, hide: 2 },
    ...alone,
  },
  {
    name: 'rule 5, which counts no list while markers are missing',
    without: 'markerFlag',
    breaks: /^CANCELLED although Earth Engine has an operation$/,
    budget: { crash: 1, cancel: 1 },
    dropsMarkers: true,
    ...alone,
  },
  {
    name: 'rule 5, which counts a list that takes several runs from its first page',
    without: 'listStart',
    breaks: /^CANCELLED although (?:Earth Engine has an operation|a request is in flight)$/,
    budget: { unanswered: 1, long: 1, cancel: 1 },
    ...alone,
  },
  {
    name: 'rule 7, the deadline after which an unknown outcome is LOST',
    without: 'deadline',
    breaks: /^stuck in WAITING$/,
    budget: { unanswered: 1, cancel: 1 },
    dropsMarkers: true,
    ...alone,
  },
  {
    name: 'rule 6, the proof before an id is given up',
    without: 'proof',
    breaks: /^two operations for one job$/,
    budget: { unanswered: 1, refusal: 1, lag: 1 },
    ...alone,
  },
  {
    name: 'rule 8, the search for the operation of a canceled job',
    without: 'cancelSearches',
    breaks: /^CANCELLED although Earth Engine has an operation$/,
    budget: { unanswered: 1, cancel: 1 },
    ...alone,
  },
  {
    name: 'rule 11, which counts another account’s sends as unanswered',
    without: 'otherAccounts',
    breaks: /^two operations for one job$/,
    budget: { crash: 1, lag: 1 },
    pollersAccount: 'b',
    ...alone,
  },
  {
    name: 'the takeover of claims that ran out',
    without: 'takeOver',
    breaks: /^stuck in SUBMITTING$/,
    budget: { crash: 1 },
    ...alone,
  },
];
