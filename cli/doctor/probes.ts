import type { Config } from '../../shared/config.ts';
import type { TopicAccess } from '../../shared/pubsub/topic-access.ts';
import type { Connections } from '../connections.ts';
import type { ProjectConfig } from '../../shared/earth-engine/project-config.ts';

/** What the doctor checks outside of Firestore. */
export interface Probes {
  /** @returns the service account, if the credentials belong to one. @throws if there are no credentials */
  credentials(): Promise<string | undefined>;
  project(project: string): Promise<ProjectConfig>;
  topics(names: readonly string[]): Promise<TopicAccess[]>;
}

const TIMEOUT_MS = 10_000;

export function createProbes(config: Config, { topicAccess }: Pick<Connections, 'topicAccess'>): Probes {
  const { googleCloudProject, earthEngineUrl, earthEngineCredentials } = config;
  const source = async () => {
    const { applicationDefaultCredentials } = await import('../../shared/earth-engine/credentials.ts');
    return applicationDefaultCredentials(googleCloudProject);
  };
  return {
    async credentials() {
      const auth = await source();
      await auth.token();
      return auth.serviceAccount();
    },
    async project(project) {
      const { getProjectConfig } = await import('../../shared/earth-engine/project-config.ts');
      const auth = earthEngineCredentials ? await source() : undefined;
      return getProjectConfig({ url: earthEngineUrl, auth }, project, { timeoutMs: TIMEOUT_MS });
    },
    topics: topicAccess,
  };
}
