import { hash } from 'node:crypto';

import canonicalize from 'canonicalize';

import { createIssueList, describe, type IssueList } from '../issues.ts';
import { brokenText, infiniteNumber, isUsableName, type JsonNode, pathOf, unusableName } from '../json.ts';
import type { Issue } from '../model/rejected-message.ts';
import { isTooWide } from '../message/width.ts';
import { addZodIssues, valueAt } from '../message/zod-issues.ts';
import { batchDocumentId } from '../model/ids.ts';
import { type ManifestJson, manifestSchema } from './manifest-schema.ts';
import { dateRule, readDate, runOf } from './run-date.ts';

export const MAX_JOBS = 100_000;

/** JSON levels of a manifest. A graph of 100 nested nodes has 300, and its readers are recursive. */
const MAX_LEVELS = 900;
/** JSON levels of an axis value, which may be inserted into a constant with its own bound. */
export const MAX_VALUE_LEVELS = 100;

export interface Axis {
  readonly name: string;
  readonly values: readonly unknown[];
}

/** A manifest that was read: its run and its dates are known. */
export interface Manifest {
  /** `{batchId}@{run}`: the batch's document, and its jobs' batchId. */
  readonly id: string;
  readonly batchId: string;
  readonly run: string;
  readonly axes: readonly Axis[];
  /** By name. A date that cannot be computed is an error only if it is used. */
  readonly dates: ReadonlyMap<string, { readonly date: string } | { readonly unknown: string }>;
  /** The job's template. */
  readonly job: Readonly<Record<string, unknown>>;
  /** SHA-256 (hex) of the content, whatever the order of its fields. */
  readonly hash: string;
}

export type ManifestReading = { readonly manifest: Manifest } | { readonly issues: Issue[] };

/**
 * Reads a decoded manifest, without its jobs.
 *
 * @param publishTime of the message; the run's name is made from it if the manifest has none
 */
export function readManifest(json: unknown, publishTime: Date | undefined): ManifestReading {
  const issues = createIssueList();
  checkValues(json, issues);
  rejectTooWide(json, issues);
  if (issues.count > 0) {
    return { issues: issues.list() };
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    addZodIssues(parsed.error, json, issues);
    return { issues: issues.list() };
  }
  const fields = parsed.data;
  const run = fields.run ?? (publishTime && runOf(publishTime, fields.runEvery ?? 'day'));
  if (run === undefined) {
    issues.add(
      ['run'],
      'is missing, and the message has no publish time to derive it from; allowed: a name for the run',
    );
    return { issues: issues.list() };
  }
  const axes = Object.entries(fields.matrix ?? {}).map(([name, values]) => ({ name, values }));
  const jobs = axes.reduce((product, { values }) => product * values.length, 1);
  if (jobs > MAX_JOBS) {
    issues.add(['matrix'], `has ${jobs} combinations; allowed: at most ${MAX_JOBS}`);
  }
  if (Object.hasOwn(fields.job, 'batchId')) {
    issues.add(['job', 'batchId'], 'must be left out: the jobs of a batch get {batchId}@{run}');
  }
  const dates = readDates(fields, run, issues);
  if (issues.count > 0) {
    return { issues: issues.list() };
  }
  const { batchId, job } = fields;
  return {
    manifest: {
      id: batchDocumentId(batchId, run),
      batchId,
      run,
      axes,
      dates,
      job,
      hash: hashOf(fields, run),
    },
  };
}

/** The schema would check every member of these. */
function rejectTooWide(json: unknown, issues: IssueList): void {
  for (const path of [[], ['matrix'], ['dates']]) {
    isTooWide(valueAt(json, path), () => path, issues);
  }
}

function readDates(fields: ManifestJson, run: string, issues: IssueList): Manifest['dates'] {
  const dates = new Map<string, { date: string } | { unknown: string }>();
  for (const [name, text] of Object.entries(fields.dates ?? {})) {
    if (fields.matrix && Object.hasOwn(fields.matrix, name)) {
      issues.add(['dates', name], 'found the name of an axis; allowed: a name that no axis has');
    }
    const reading = readDate(text, run);
    if ('malformed' in reading) {
      issues.add(
        ['dates', name],
        `found ${describe(text)}, which ${reading.malformed}; allowed: ${dateRule}`,
      );
    } else {
      dates.set(name, reading);
    }
  }
  return dates;
}

/** The hash is the same whether the manifest names its run or the run is named after the message's time. */
function hashOf({ runEvery: _interval, ...fields }: ManifestJson, run: string): string {
  return hash('sha256', canonicalize({ ...fields, run }) as string, 'hex');
}

interface Place extends JsonNode {
  /** How many more levels are allowed within it. */
  readonly room: number;
}

/** Finds what cannot be copied or sent on anywhere in the manifest, since each job would repeat the issue. */
function checkValues(json: unknown, issues: IssueList): void {
  const open: Place[] = [{ value: json, key: '', parent: undefined, room: MAX_LEVELS }];
  for (let place = open.pop(); place && issues.count < MAX_BROKEN; place = open.pop()) {
    const { value, room } = place;
    if (typeof value === 'string' && !value.isWellFormed()) {
      issues.add(pathOf(place), brokenText);
    }
    if (typeof value === 'number' && !Number.isFinite(value)) {
      issues.add(pathOf(place), infiniteNumber);
    }
    if (typeof value !== 'object' || value === null) {
      continue;
    }
    if (room === 0) {
      const path = pathOf(place);
      const levels = path[0] === 'matrix' ? MAX_VALUE_LEVELS : MAX_LEVELS;
      issues.add(path.slice(0, 3), `is nested too deep; allowed: ${levels} levels`);
      continue;
    }
    const inner = isAxis(place) ? MAX_VALUE_LEVELS : room - 1;
    if (Array.isArray(value)) {
      // One by one: an axis may have more values than a call takes arguments.
      for (let index = value.length - 1; index >= 0; index -= 1) {
        open.push({ value: value[index], key: index, parent: place, room: inner });
      }
      continue;
    }
    for (const [name, member] of Object.entries(value)) {
      if (!isUsableName(name)) {
        issues.add([...pathOf(place), name], unusableName);
      }
      open.push({ value: member, key: name, parent: place, room: inner });
    }
  }
}

/** The array of an axis: `matrix.region`. */
const isAxis = ({ parent }: JsonNode): boolean =>
  parent?.key === 'matrix' && parent.parent?.parent === undefined && parent.parent !== undefined;

/** More issues of this kind would not help. */
const MAX_BROKEN = 20;
