import { Refusal, type SimulatorRequest } from './request.ts';
import type { Denial, SimulatorSettings } from './settings.ts';
import type { AcceptedRequest } from './validation.ts';

/**
 * The caller: the owner of the bearer token, by whom Earth Engine deduplicates.
 *
 * @throws Refusal if the token is unknown, or no longer valid
 */
export function identify(request: SimulatorRequest, { tokens }: Pick<SimulatorSettings, 'tokens'>): string {
  const token = tokenOf(request);
  if (token === undefined || tokens === null) {
    return 'anonymous';
  }
  const email = tokens[token];
  if (email !== undefined) {
    return email;
  }
  throw new Refusal(
    401,
    'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid ' +
      'authentication credential.',
    'UNAUTHENTICATED',
  );
}

const tokenOf = ({ headers }: SimulatorRequest): string | undefined =>
  headers['authorization']?.replace(/^Bearer /i, '');

const DRIVE_SCOPE = 'https://www.googleapis.com/auth/drive';

/** @throws Refusal if the caller may not write to the destination in the way that the request asks for */
export function checkDestination(
  request: SimulatorRequest,
  { destination, publicBucket }: AcceptedRequest,
  { tokenScopes, ownedBuckets }: Pick<SimulatorSettings, 'tokenScopes' | 'ownedBuckets'>,
): void {
  const scopes = tokenScopes?.[tokenOf(request) ?? ''];
  if (destination.startsWith('drive:') && tokenScopes !== null && !scopes?.includes(DRIVE_SCOPE)) {
    throw new Refusal(403, 'Request had insufficient authentication scopes.', 'DENIED', [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
        domain: 'googleapis.com',
        metadata: {
          service: 'earthengine.googleapis.com',
          method: 'google.earthengine.v1.EarthEngine.ExportVideo',
        },
      },
    ]);
  }
  if (publicBucket !== undefined && ownedBuckets !== null && !ownedBuckets.includes(publicBucket)) {
    // Earth Engine's own text is not known.
    throw new Refusal(403, `The caller is not an owner of the bucket ${publicBucket}.`, 'DENIED');
  }
}

/** @throws Refusal with Earth Engine's text if the settings deny calls for this project */
export function checkProject(project: string, { denied }: Pick<SimulatorSettings, 'denied'>): void {
  const denial = denied[project];
  if (denial) {
    throw new Refusal(403, denialTexts[denial](project), 'DENIED', denialDetails[denial]);
  }
}

const denialTexts: Readonly<Record<Denial, (project: string) => string>> = {
  NOT_REGISTERED: (project) =>
    `Project ${project} is not registered to use Earth Engine. Visit ` +
    `https://console.cloud.google.com/earth-engine/configuration?project=${project} to register your project.`,
  NO_PERMISSION: (project) =>
    `Permission 'earthengine.exports.create' denied on resource 'projects/${project}' (or it may not exist).`,
  NO_SERVICE_USAGE: (project) =>
    `Caller does not have required permission to use project ${project}. Grant the caller the ` +
    'roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission.',
};

const denialDetails: Readonly<Record<Denial, readonly unknown[]>> = {
  NOT_REGISTERED: [],
  NO_PERMISSION: [],
  NO_SERVICE_USAGE: [
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'USER_PROJECT_DENIED',
      domain: 'googleapis.com',
    },
  ],
};
