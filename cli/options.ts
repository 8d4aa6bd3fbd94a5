import { InvalidArgumentError, Option } from 'commander';

import { rejectionReasons } from './rejection-reasons.ts';
import { didYouMean } from '../shared/did-you-mean.ts';
import { type Clock, DAY_MS, HOUR_MS, MINUTE_MS } from '../shared/clock.ts';

/** Options that several commands have, and how their values are read. Commander prefixes an error with the option's name. */

export const stateOption = (): Option =>
  new Option('--state <STATES>', 'only these states, separated by commas').argParser(parseStates);

export const labelOption = (description: string): Option =>
  new Option('--label <NAME=VALUE>', description).argParser(parseLabel);

export const sinceOption = (clock: Clock): Option =>
  new Option('--since <WHEN>', 'created since WHEN: a date, or 90m, 12h, 7d or 2w ago').argParser((text) =>
    parseSince(text, clock.now()),
  );

export const limitOption = (): Option =>
  new Option('--limit <N>', 'maximum number of results').argParser(parseWhole(1000)).default(20);

export const everyOption = (): Option =>
  new Option('--every <SECONDS>', 'time between updates').argParser(parseSeconds).default(2);

export const runOption = (): Option =>
  new Option('--run <NAME>', "the name of the run, if the manifest has none (default: today's date)");

const units: Readonly<Record<string, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };

/** `90m`, `12h`, `7d` or `2w` ago, or a date. */
function parseSince(text: string, now: Date): Date {
  const [, amount, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const ms = units[unit];
  if (amount !== undefined && ms !== undefined) {
    return new Date(now.getTime() - Number(amount) * ms);
  }
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('Use 90m, 12h, 7d, 2w or a date such as 2026-11-23.');
  }
  return date;
}

export interface Label {
  readonly name: string;
  readonly value: string;
}

function parseLabel(text: string): Label {
  const [, name, value] = /^([a-z][a-z0-9_-]{0,62})=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('Use NAME=VALUE, such as team=water.');
  }
  return { name, value };
}

/** The same as `recordStates` in the model, which would load zod for `--help`. A test compares the two. */
const states = [
  'SUBMITTING',
  'WAITING',
  'PENDING',
  'RUNNING',
  'CANCELLING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'REJECTED',
  'LOST',
] as const;

/** The same as `deliveryStates` in the model. */
const deliveries = ['PENDING', 'VERIFIED', 'SUSPECT', 'MISSING', 'AMBIGUOUS', 'UNCHECKED'] as const;

export const deliveryOption = (): Option =>
  new Option(
    '--delivery <STATES>',
    'only jobs whose video has one of these states, such as missing,suspect',
  ).argParser(parseDeliveries);

/** `failed,lost`, in any case. */
export const parseStates = (text: string): (typeof states)[number][] => parseNames(text, states);

export const parseDeliveries = (text: string): (typeof deliveries)[number][] => parseNames(text, deliveries);

function parseNames<Name extends string>(text: string, names: readonly Name[]): Name[] {
  return text.split(',').map((part) => {
    const state = names.find((known) => known === part.trim().toUpperCase());
    if (!state) {
      const known = names.map((each) => each.toLowerCase());
      throw new InvalidArgumentError(
        `Use one or more of ${known.join(', ')}${didYouMean(part.trim(), known)}.`,
      );
    }
    return state;
  });
}

function parseWhole(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > most) {
      throw new InvalidArgumentError(`Use a whole number from 1 to ${most}.`);
    }
    return value;
  };
}

function parseSeconds(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value < 0.1 || value > 3600) {
    throw new InvalidArgumentError('Use a number of seconds from 0.1 to 3600.');
  }
  return value;
}

export type Grouping =
  | { readonly by: 'batch' | 'month' | 'shape' }
  | { readonly by: 'label'; readonly name: string };

export function parseGrouping(text: string): Grouping {
  if (text === 'batch' || text === 'month' || text === 'shape') {
    return { by: text };
  }
  const [, name] = /^label:([a-z][a-z0-9_-]{0,62})$/.exec(text) ?? [];
  if (name === undefined) {
    throw new InvalidArgumentError('Use batch, month, shape or label:NAME.');
  }
  return { by: 'label', name };
}

export function parsePrice(text: string): number {
  const price = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  if (price === 0) {
    throw new InvalidArgumentError('Use a positive number, such as 0.4.');
  }
  return price;
}

export const reasonOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((text: string, earlier: string[] | undefined) => [
    ...(earlier ?? []),
    parseReason(text),
  ]);

/** In any case, and with - for _. */
function parseReason(text: string): string {
  const wanted = text.trim().toUpperCase().replaceAll('-', '_');
  const reason = rejectionReasons.find((known) => known === wanted);
  if (!reason) {
    throw new InvalidArgumentError(
      `Use ${rejectionReasons.join(', ')}${didYouMean(wanted, rejectionReasons)}.`,
    );
  }
  return reason;
}
