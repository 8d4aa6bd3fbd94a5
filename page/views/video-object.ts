import { type AllowList, isAllowed } from '../../shared/config.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { type ObjectVersion, parseUri } from '../../shared/storage/api.ts';

/** The version of an object that the service verified. */
export interface Video {
  readonly object: ObjectVersion;
  readonly bytes: number;
}

/** The video of a record; undefined if there is none to show. */
export function videoOf(record: ExportRecord, allowed: AllowList): Video | undefined {
  if (record.state !== 'SUCCEEDED' || record.delivery?.state !== 'VERIFIED') {
    return undefined;
  }
  const { object: uri = '', generation, bytes } = record.delivery;
  const object = parseUri(uri);
  if (!object || generation === undefined || bytes === undefined || !isAllowed(allowed, uri)) {
    return undefined;
  }
  return { object: { ...object, generation }, bytes };
}
