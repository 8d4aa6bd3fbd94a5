import type { Config } from '../../shared/config.ts';
import type { Cli } from '../cli.ts';
import { SETTINGS_ID } from '../../shared/model/service-settings.ts';
import type { Store } from '../../shared/store/store.ts';
import { untilListening } from '../connections.ts';
import { explain } from '../problem.ts';
import { describeService } from '../service/service.ts';
import { judgeClock, judgeProject } from './earth-engine.ts';
import { type Finding, ok, problem, skipped } from './finding.ts';
import { checkDatabase, checkIndexes, checkRestrictions } from './firestore.ts';
import { checkDeadLetters, checkWaiting } from './waiting.ts';
import { createProbes, type Probes } from './probes.ts';

/** Every check, ordered so that a problem explains the ones after it. */
export async function* examine(
  cli: Cli,
  probesOf: typeof createProbes = createProbes,
): AsyncGenerator<Finding> {
  let config: Config;
  try {
    const service = await cli.service();
    config = await cli.config();
    yield ok('Service', describeService(service));
  } catch (error) {
    yield serviceProblem(error);
    return;
  }
  const probes = probesOf(config, cli);
  const credentials = await checkCredentials(config, probes);
  yield credentials;
  const hasCredentials = credentials.outcome !== 'PROBLEM';
  const needsCredentials = 'Needs credentials';

  const firestore = await checkEmulator('Database', 'Firestore', config.firestoreEmulatorHost);
  if (firestore) {
    yield firestore;
  } else if (!hasCredentials && config.firestoreEmulatorHost === undefined) {
    yield skipped('Database', needsCredentials);
  } else {
    const store = await cli.store();
    const database = await checkDatabase(store, config.firestoreDatabase, config.googleCloudProject);
    yield database;
    if (database.outcome === 'OK') {
      yield config.firestoreEmulatorHost === undefined
        ? await checkIndexes(store)
        : skipped('Indexes', 'An emulator needs none');
      config = await cli.serviceConfig();
      yield await checkRules(store, config);
      yield await checkRestrictions(cli);
      yield* checkDrive(config);
      yield* checkWaiting(cli);
      yield await checkDeadLetters(cli);
    }
  }

  const pubsub = await checkEmulator('Topics', 'Pub/Sub', config.pubsubEmulatorHost);
  if (pubsub) {
    yield pubsub;
  } else if (!hasCredentials && config.pubsubEmulatorHost === undefined) {
    yield skipped('Topics', needsCredentials);
  } else {
    yield await checkTopics(config, probes);
  }

  if (!hasCredentials && config.earthEngineCredentials) {
    yield skipped('Earth Engine', needsCredentials);
  } else {
    yield* checkEarthEngine(cli, config, probes);
  }
}

function serviceProblem(error: unknown): Finding {
  const {
    code,
    found,
    advice = 'Fix the environment; docs/reference.md lists every variable',
  } = explain(error);
  return code === 'NOT_RUNNING'
    ? problem(
        'Service',
        code,
        // The advice repeats the rest.
        found.replace(/\..*$/s, ''),
        'Start it with npm start, or choose another service with context use',
      )
    : problem('Service', 'SETTINGS_WRONG', found, advice);
}

async function checkCredentials(config: Config, probes: Probes): Promise<Finding> {
  const check = 'Credentials';
  const { firestoreEmulatorHost, pubsubEmulatorHost } = config;
  if (firestoreEmulatorHost !== undefined && pubsubEmulatorHost !== undefined) {
    return skipped(check, 'Emulators need none');
  }
  try {
    const account = await probes.credentials();
    return ok(check, account ?? "A user's, from gcloud auth application-default login");
  } catch (error) {
    const { code, found } = explain(error);
    return problem(
      check,
      code === 'CREDENTIALS_REFUSED' ? code : 'NO_CREDENTIALS',
      found,
      'Run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS',
    );
  }
}

async function* checkEarthEngine(cli: Cli, config: Config, probes: Probes): AsyncGenerator<Finding> {
  const { earthEngineProject, earthEngineCredentials, earthEngineUrl, firestoreEmulatorHost } = config;
  if (earthEngineCredentials && firestoreEmulatorHost !== undefined) {
    yield skipped('Earth Engine', 'EARTHENGINE_EMULATOR_HOST is not set');
    return;
  }
  const before = cli.clock.now();
  try {
    const answer = await probes.project(earthEngineProject);
    yield judgeProject(earthEngineProject, answer);
    yield judgeClock(cli.clock, answer, before);
  } catch (error) {
    yield earthEngineCredentials
      ? problem(
          'Earth Engine',
          'UNREACHABLE',
          `No response from ${earthEngineUrl}`,
          'Check the network and EARTHENGINE_API_URL',
        )
      : problem(
          'Earth Engine',
          'EMULATOR_NOT_RUNNING',
          `No response from ${earthEngineUrl} (${explain(error).code})`,
          'Start the local service with npm start, or choose another service with context use',
        );
  }
}

async function checkEmulator(
  check: string,
  name: string,
  host: string | undefined,
): Promise<Finding | undefined> {
  try {
    await untilListening(name, host);
    return undefined;
  } catch {
    return problem(
      check,
      'EMULATOR_NOT_RUNNING',
      `No response from the ${name} emulator at ${host}`,
      'Start the local service with npm start, or choose another service with context use',
    );
  }
}

async function checkTopics({ topics, googleCloudProject }: Config, probes: Probes): Promise<Finding> {
  const check = 'Topics';
  const names = Object.values<string>({ ...topics });
  // Users publish to these; only the service's own account publishes to the others.
  const published = new Set<string>([topics.jobs, topics.batches, topics.cancellations]);
  try {
    const access = await probes.topics(names);
    const named = (wanted: string) => names.filter((_, index) => access[index] === wanted);
    const missing = named('MISSING');
    if (missing.length > 0) {
      return problem(
        check,
        'TOPIC_MISSING',
        `${googleCloudProject} has no ${missing.join(', ')}`,
        missing.length === names.length
          ? "Check that this is the service's project (GOOGLE_CLOUD_PROJECT, --project). If it is, terraform apply creates the topics (infra/README.md)"
          : 'Run terraform apply (infra/README.md), or set …_TOPIC to the right name',
      );
    }
    const denied = named('MAY_NOT_PUBLISH').filter((name) => published.has(name));
    return denied.length === 0
      ? ok(check, `All ${names.length} exist`)
      : problem(
          check,
          'PERMISSION_MISSING',
          `You may not publish to ${denied.join(', ')}`,
          'If you submit or cancel jobs, ask for roles/pubsub.publisher on them (var.publishers in infra)',
        );
  } catch (error) {
    const { code, found } = explain(error);
    return problem(
      check,
      code,
      found,
      `Check that ${googleCloudProject} is the service's project and that its Pub/Sub API is enabled`,
    );
  }
}

/** A job that exports to Drive succeeds, and the video may still be nowhere. */
function* checkDrive({ allowedDestinations }: Config): Generator<Finding> {
  const patterns = allowedDestinations.filter((pattern) => pattern.startsWith('drive:'));
  if (patterns.length > 0) {
    yield ok(
      'Drive',
      `Jobs can export to ${patterns.join(', ')}. A service account has no Drive storage of its own: share a folder of a shared drive with it, or use a bucket`,
    );
  }
}

/** What jobs may use, as the service says. */
async function checkRules({ settings }: Store, config: Config): Promise<Finding> {
  const check = 'Rules';
  if (!(await settings.get(SETTINGS_ID))) {
    return skipped(check, 'The service has not stored its settings yet; pollExports stores them');
  }
  const { earthEngineProject, allowedProjects, allowedDestinations } = config;
  return ok(
    check,
    `Jobs can use the projects ${allowedProjects.join(', ')} (default ${earthEngineProject}) and the destinations ${allowedDestinations.join(', ')}`,
  );
}
