import { asError } from '../errors.ts';
import type { EarthEngine, Operation, OperationCallOptions } from './api.ts';
import { badName, notSent, unreadable, type Call } from './errors.ts';
import { encodeSegment, send, type EarthEngineOptions } from './http.ts';
import {
  isOfAnotherProject,
  isOperationName,
  parseOperation,
  parseOperationPage,
  projectOf,
  sameOperation,
} from './operation.ts';

/** The largest list page that can be requested; Earth Engine's own clients request the same. */
const PAGE_SIZE = 500;

/** The Earth Engine REST API (v1). It retries nothing: see EarthEngine. */
export function createEarthEngine(connection: EarthEngineOptions): EarthEngine {
  const { auth } = connection;
  let account: Promise<string | undefined> | undefined;

  return {
    async startExport(project, request, options) {
      const path = `/v1/projects/${encodeSegment(project)}/video:export`;
      const call: Call = { kind: 'export', name: `POST ${path}` };
      const started = readOperation(call, await send(connection, call, project, path, request, options));
      // Every later call about this operation, cancellation too, would go to the other project.
      if (isOfAnotherProject(started.name, project)) {
        unreadable(call, 'an operation of another project');
      }
      return started;
    },

    async getOperation(operation, options) {
      const { call, project, path } = operationCall('get', operation, options);
      const found = readOperation(call, await send(connection, call, project, path, undefined, options));
      // The end of another operation would be recorded as the end of this one.
      if (!sameOperation(found.name, operation) || isOfAnotherProject(found.name, projectOf(operation))) {
        unreadable(call, 'another operation');
      }
      return found;
    },

    async listOperations(project, pageToken, options) {
      const path = `/v1/projects/${encodeSegment(project)}/operations`;
      const call: Call = { kind: 'list', name: `GET ${path}` };
      const page = pageToken === undefined ? '' : `&pageToken=${encodeURIComponent(pageToken)}`;
      const pagePath = `${path}?pageSize=${PAGE_SIZE}${page}`;
      const json = await send(connection, call, project, pagePath, undefined, options);
      return parseOperationPage(json) ?? unreadable(call, 'no page of operations');
    },

    async cancelOperation(operation, options) {
      const { call, project, path } = operationCall('cancel', operation, options);
      await send(connection, call, project, path, new TextEncoder().encode('{}'), options);
    },

    async serviceAccount() {
      if (!auth) {
        return undefined;
      }
      account ??= auth.serviceAccount();
      try {
        return await account;
      } catch (error) {
        account = undefined;
        const call: Call = { kind: 'get', name: 'Looking up the service account' };
        throw notSent(call, asError(error).message, error);
      }
    },
  };
}

function operationCall(kind: 'get' | 'cancel', operation: string, options: OperationCallOptions) {
  if (!isOperationName(operation)) {
    throw badName(operation);
  }
  const [, project, , id] = operation.split('/').map(encodeSegment) as [string, string, string, string];
  const path = `/v1/projects/${project}/operations/${id}${kind === 'cancel' ? ':cancel' : ''}`;
  const call: Call = { kind, name: `${kind === 'cancel' ? 'POST' : 'GET'} ${path}` };
  return { call, project: options.project ?? projectOf(operation), path };
}

function readOperation(call: Call, json: unknown): Operation {
  return parseOperation(json) ?? unreadable(call, 'no operation with a name');
}
