const CLOUD_SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
/** Earth Engine requires it for requests that name Drive (release notes, 2025-07-21). */
const DRIVE_SCOPE = 'https://www.googleapis.com/auth/drive';

/** Where access tokens come from, and whose they are. */
export interface TokenSource {
  token(): Promise<string>;
  /** Earth Engine refused this token: the next call of `token()` gets another one. */
  drop(token: string): void;
  /** Undefined for a person's credentials. */
  serviceAccount(): Promise<string | undefined>;
}

/**
 * Application default credentials: on Google Cloud, the function's own service account.
 *
 * The library loads with the first token, because it costs a cold start some 40 ms. Concurrent callers share one token
 * request.
 *
 * @param project the Google Cloud project of the service; without it, the library would run gcloud to find it
 */
export function applicationDefaultCredentials(
  project: string,
  { drive = false }: { readonly drive?: boolean } = {},
): TokenSource {
  const scopes = drive ? [CLOUD_SCOPE, DRIVE_SCOPE] : [CLOUD_SCOPE];
  const load = async () => {
    const { GoogleAuth } = await import('./google-auth.ts');
    return new GoogleAuth({ scopes, projectId: project });
  };
  let credentials: ReturnType<typeof load> | undefined;
  let current: string | undefined;
  let pending: Promise<string> | undefined;

  async function fetchToken(): Promise<string> {
    try {
      credentials ??= load();
      // The library keeps the token until shortly before it expires.
      const token = await (await credentials).getAccessToken();
      if (!token) {
        throw new Error('the credentials gave no access token');
      }
      current = token;
      return token;
    } catch (error) {
      // The library also remembers that it found no credentials.
      credentials = undefined;
      throw error;
    } finally {
      pending = undefined;
    }
  }

  return {
    token: () => (pending ??= fetchToken()),
    drop(token) {
      // Several calls can be refused with the same token: the second must not drop the token that replaced it.
      if (token === current) {
        credentials = undefined;
        current = undefined;
      }
    },
    async serviceAccount() {
      const { client_email } = await (await (credentials ??= load())).getCredentials();
      return client_email;
    },
  };
}
