import type { CallOptions } from './api.ts';
import { authorization, encodeSegment, readStart, startDeadline, type EarthEngineOptions } from './http.ts';

/** Earth Engine's response about a project, for the command line. */
export interface ProjectConfig {
  readonly httpStatus: number;
  /** `REGISTERED_COMMERCIALLY`, `NOT_REGISTERED` …, if the response was a configuration. */
  readonly registration: string | undefined;
  /** The error message otherwise. */
  readonly refusal: string | undefined;
  /** When Earth Engine responded, by its own clock. */
  readonly date: Date | undefined;
}

/**
 * `GET /v1/projects/P/config`, whatever the response
 * (https://developers.google.com/earth-engine/reference/rest/v1/projects/getConfig).
 *
 * @throws if there is no token or no connection
 */
export async function getProjectConfig(
  { url, auth, fetch = globalThis.fetch }: EarthEngineOptions,
  project: string,
  options: CallOptions,
): Promise<ProjectConfig> {
  using deadline = startDeadline(options);
  const token = auth && (await deadline.race(auth.token()));
  const response = await fetch(`${url}/v1/projects/${encodeSegment(project)}/config`, {
    headers: authorization(token, project),
    signal: deadline.signal,
    redirect: 'manual',
  });
  const text = await readStart(response);
  const date = new Date(response.headers.get('date') ?? '');
  return {
    httpStatus: response.status,
    registration: response.ok ? textIn(text, ['registrationState']) : undefined,
    refusal: response.ok ? undefined : (textIn(text, ['error', 'message']) ?? `HTTP ${response.status}`),
    date: Number.isNaN(date.getTime()) ? undefined : date,
  };
}

function textIn(json: string, path: readonly string[]): string | undefined {
  try {
    let value: unknown = JSON.parse(json);
    for (const name of path) {
      value = (value as Record<string, unknown> | null | undefined)?.[name];
    }
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
