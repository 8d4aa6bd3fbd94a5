import type { SimulatorRequest } from './request.ts';
import type { CallKind } from './settings.ts';

/** The method of Earth Engine's API that a request calls, and its parameters. Those that do not apply are empty. */
export interface Route {
  readonly call: CallKind;
  /** The official clients use v1; v1alpha has more fields. */
  readonly version: string;
  readonly project: string;
  readonly operationId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

const path =
  /^\/(v1|v1alpha)\/projects\/([^/]+)\/(?:(video:export|operations|config|algorithms)|operations\/([^/]+?)(:cancel)?)$/;
const DEFAULT_PAGE_SIZE = 50;

export function readRoute({ method, path: address }: SimulatorRequest): Route {
  const url = new URL(address, 'http://simulator');
  const [, version = '', project, collection, operationId, cancel] = path.exec(url.pathname) ?? [];
  const call = project === undefined ? 'unknown' : callOf(method, collection, cancel !== undefined);
  return {
    call,
    version,
    project: decodeURIComponent(project ?? ''),
    operationId: decodeURIComponent(operationId ?? ''),
    pageSize: Math.max(1, Number(url.searchParams.get('pageSize')) || DEFAULT_PAGE_SIZE),
    pageToken: url.searchParams.get('pageToken') ?? '',
  };
}

function callOf(method: string, collection: string | undefined, cancel: boolean): CallKind {
  switch (`${method} ${collection ?? (cancel ? ':cancel' : 'operation')}`) {
    case 'POST video:export':
      return 'export';
    case 'GET operations':
      return 'list';
    case 'GET operation':
      return 'get';
    case 'POST :cancel':
      return 'cancel';
    case 'GET config':
      return 'config';
    case 'GET algorithms':
      return 'algorithms';
    default:
      return 'unknown';
  }
}
