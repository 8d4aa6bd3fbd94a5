import { EarthEngineError, operationStates } from '../../shared/earth-engine/api.ts';
import { sameOperation } from '../../shared/earth-engine/operation.ts';
import { isJsonObject, type JsonObject } from '../../shared/json.ts';
import { duration } from '../text.ts';
import type { ProbedBelief } from './beliefs.ts';

/** What a probe of Earth Engine saw, as raw JSON: the service's own parser hides the oddities that matter here. */
export interface Observations {
  readonly description: string;
  readonly name: string;
  readonly started: JsonObject;
  readonly got: JsonObject;
  /** The response to the same request again, and to another one with its ID. */
  readonly replay: JsonObject | EarthEngineError;
  readonly other: JsonObject | EarthEngineError;
  /** The response about an operation that does not exist. */
  readonly missing: JsonObject | EarthEngineError;
  /** The operation in the list, how long after its start it was listed, and the first page. */
  readonly listed: JsonObject | undefined;
  readonly listedAfterMs: number;
  readonly firstPage: readonly JsonObject[];
  /** The operation after its cancellation, and how long that took. */
  readonly ended: JsonObject;
  readonly endedAfterMs: number;
  /** What the header about restricted mode said; undefined if no response had it. */
  readonly restricted: boolean | undefined;
}

export interface Judgment {
  readonly outcome: 'HOLDS' | 'FAILS' | 'UNKNOWN';
  readonly found: string;
}

const holds = (found: string): Judgment => ({ outcome: 'HOLDS', found });
const fails = (found: string): Judgment => ({ outcome: 'FAILS', found });
const unknown = (found: string): Judgment => ({ outcome: 'UNKNOWN', found });

const metadataOf = ({ metadata }: JsonObject): JsonObject => (isJsonObject(metadata) ? metadata : {});
/** A field as a report shows it: Earth Engine may send anything. */
const shown = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
const refusalText = ({ httpStatus, reply, message }: EarthEngineError): string =>
  `HTTP ${httpStatus}: ${reply || message}`;

export const judgments: Readonly<Record<ProbedBelief, (seen: Observations) => Judgment>> = {
  marker({ description, started, got, listed }) {
    const places = { 'the response': started, get: got, ...(listed ? { 'the list': listed } : {}) };
    const without = Object.entries(places).filter(
      ([, operation]) => metadataOf(operation)['description'] !== description,
    );
    return without.length === 0
      ? holds(`in ${Object.keys(places).join(', ')}`)
      : fails(`missing or changed in ${without.map(([place]) => place).join(', ')}`);
  },

  'request-id'({ name, replay, other }) {
    if (replay instanceof EarthEngineError) {
      return fails(`the same request again: ${refusalText(replay)}`);
    }
    if (!sameOperation(shown(replay['name']), name)) {
      return fails('the same request again started a second operation');
    }
    if (!(other instanceof EarthEngineError)) {
      return fails('other content with the same ID was accepted');
    }
    return other.kind === 'ALREADY_STARTED'
      ? holds(refusalText(other))
      : fails(`other content with the same ID: ${refusalText(other)}`);
  },

  list: ({ listed, listedAfterMs }) =>
    listed
      ? holds(`after ${duration(listedAfterMs)}`)
      : unknown(`not listed within ${duration(listedAfterMs)}`),

  'list-order'({ firstPage }) {
    const times = firstPage.map((operation) => Date.parse(shown(metadataOf(operation)['createTime'])));
    if (times.length < 2 || times.some(Number.isNaN)) {
      return unknown(`only ${times.length} operations to compare`);
    }
    return times.every((time, index) => index === 0 || time <= (times[index - 1] ?? 0))
      ? holds(`${times.length} operations on the first page`)
      : fails('not in this order');
  },

  fields({ started, got }) {
    const missing = [
      ...(metadataOf(started)['state'] === undefined ? ['state in the response'] : []),
      ...['state', 'type', 'createTime', 'updateTime'].filter((field) => !metadataOf(got)[field]),
    ];
    const { type } = metadataOf(got);
    return missing.length > 0
      ? fails(`missing: ${missing.join(', ')}`)
      : type === 'EXPORT_VIDEO'
        ? holds('type EXPORT_VIDEO')
        : fails(`type ${shown(type)}`);
  },

  'start-time'({ got }) {
    const { state, startTime } = metadataOf(got);
    if (startTime === undefined) {
      return state === 'PENDING' ? holds('none while PENDING') : unknown('it was not PENDING');
    }
    return new Date(shown(startTime)).getTime() < Date.UTC(2000, 0)
      ? fails(`${shown(startTime)} while ${shown(state)}`)
      : unknown('it had started already');
  },

  states({ started, got, ended, listed }) {
    const known: readonly string[] = operationStates;
    const seen = [started, got, ended, ...(listed ? [listed] : [])].flatMap((operation) => {
      const { state } = metadataOf(operation);
      return state === undefined ? [] : shown(state);
    });
    const others = seen.filter((state) => !known.includes(state));
    return others.length === 0
      ? holds([...new Set(seen)].join(', '))
      : fails(`unknown: ${[...new Set(others)].join(', ')}`);
  },

  'not-found': ({ missing }) =>
    !(missing instanceof EarthEngineError)
      ? fails('it was answered with an operation')
      : missing.kind === 'NOT_FOUND'
        ? holds('HTTP 404')
        : fails(refusalText(missing)),

  cancel({ ended, endedAfterMs }) {
    const { state } = metadataOf(ended);
    if (ended['done'] !== true) {
      return unknown(`${shown(state)} after ${duration(endedAfterMs)}`);
    }
    return state === 'CANCELLED'
      ? holds(`after ${duration(endedAfterMs)}`)
      : fails(`it ended as ${shown(state)}`);
  },

  ending({ ended }) {
    if (ended['done'] !== true) {
      return unknown('it has not ended yet');
    }
    const { error, response } = ended;
    if (isJsonObject(error)) {
      return holds(`error code ${shown(error['code'])}`);
    }
    return isJsonObject(response) ? holds('a response') : fails('it has neither');
  },

  restricted: ({ restricted }) =>
    restricted === undefined
      ? unknown('no response had the header')
      : holds(restricted ? 'restricted' : 'not restricted'),
};
