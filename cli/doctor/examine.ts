import type { Config } from '../../shared/config.ts';
import type { Cli } from '../cli.ts';
import { untilListening } from '../connections.ts';
import { explain } from '../problem.ts';
import { judgeClock, judgeProject } from './earth-engine.ts';
import { type Finding, ok, problem, skipped } from './finding.ts';
import { checkDatabase, checkIndexes } from './firestore.ts';
import { createProbes, type Probes } from './probes.ts';

/** Every check, in the order in which a problem explains those after it. */
export async function* examine(
  cli: Cli,
  probesOf: (config: Config) => Probes = createProbes,
): AsyncGenerator<Finding> {
  let config: Config;
  try {
    config = await cli.config();
  } catch (error) {
    const { message } = explain(error);
    yield problem('Settings', 'SETTINGS_WRONG', message, 'mend the environment; docs/reference.md lists it');
    return;
  }
  const probes = probesOf(config);
  yield ok(
    'Settings',
    `project ${config.googleCloudProject}, Earth Engine project ${config.earthEngineProject}`,
  );
  const credentials = await checkCredentials(config, probes);
  yield credentials;
  const may = credentials.outcome !== 'PROBLEM';
  const unreachable = 'needs credentials';

  if (!may && config.earthEngineCredentials) {
    yield skipped('Earth Engine', unreachable);
  } else {
    yield* checkEarthEngine(cli, config, probes);
  }

  const pubsub = await checkEmulator('Topics', 'Pub/Sub', config.pubsubEmulatorHost);
  if (pubsub) {
    yield pubsub;
  } else if (!may && config.pubsubEmulatorHost === undefined) {
    yield skipped('Topics', unreachable);
  } else {
    yield await checkTopics(config, probes);
  }

  const firestore = await checkEmulator('Database', 'Firestore', config.firestoreEmulatorHost);
  if (firestore) {
    yield firestore;
  } else if (!may && config.firestoreEmulatorHost === undefined) {
    yield skipped('Database', unreachable);
  } else {
    yield* checkFirestore(cli, config);
  }
}

async function checkCredentials(config: Config, probes: Probes): Promise<Finding> {
  const check = 'Credentials';
  const { firestoreEmulatorHost, pubsubEmulatorHost } = config;
  if (firestoreEmulatorHost !== undefined && pubsubEmulatorHost !== undefined) {
    return skipped(check, 'emulators need none');
  }
  try {
    const account = await probes.credentials();
    return ok(check, account ?? "a person's, from gcloud auth application-default login");
  } catch (error) {
    const { code, message } = explain(error);
    const isKnown = code === 'NO_CREDENTIALS' || code === 'CREDENTIALS_REFUSED';
    return problem(
      check,
      isKnown ? code : 'NO_CREDENTIALS',
      isKnown ? message.slice(0, message.indexOf(':')) : message,
      'run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS',
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
    const look = await probes.project(earthEngineProject);
    yield judgeProject(earthEngineProject, look);
    yield judgeClock(cli.clock, look, before);
  } catch (error) {
    yield earthEngineCredentials
      ? problem(
          'Earth Engine',
          'UNREACHABLE',
          `${earthEngineUrl} does not answer`,
          'check the network and EARTHENGINE_API_URL',
        )
      : problem(
          'Earth Engine',
          'EMULATOR_NOT_RUNNING',
          `nothing answers at ${earthEngineUrl} (${explain(error).code})`,
          'start the simulator (npm start), or unset EARTHENGINE_EMULATOR_HOST',
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
    const variable = name === 'Firestore' ? 'FIRESTORE_EMULATOR_HOST' : 'PUBSUB_EMULATOR_HOST';
    return problem(
      check,
      'EMULATOR_NOT_RUNNING',
      `no ${name} emulator answers at ${host}`,
      `start it (npm start), or unset ${variable}`,
    );
  }
}

async function checkTopics({ topics, googleCloudProject }: Config, probes: Probes): Promise<Finding> {
  const check = 'Topics';
  const names = Object.values<string>({ ...topics });
  // What people publish to; the service's own account publishes to the others.
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
          ? "is that the service's project (GOOGLE_CLOUD_PROJECT, --project)? Else terraform apply makes them (infra/README.md)"
          : 'run terraform apply (infra/README.md), or set …_TOPIC to the name that it has',
      );
    }
    const denied = named('MAY_NOT_PUBLISH').filter((name) => published.has(name));
    return denied.length === 0
      ? ok(check, `${names.length} are there`)
      : problem(
          check,
          'PERMISSION_MISSING',
          `you may not publish to ${denied.join(', ')}`,
          'ask for roles/pubsub.publisher on them (var.publishers in infra), if you submit or cancel',
        );
  } catch (error) {
    const { code, message } = explain(error);
    return problem(
      check,
      code,
      message,
      `is ${googleCloudProject} the service's project, with the Pub/Sub API enabled?`,
    );
  }
}

async function* checkFirestore(cli: Cli, config: Config): AsyncGenerator<Finding> {
  const store = await cli.store();
  const database = await checkDatabase(store, config.firestoreDatabase, config.googleCloudProject);
  yield database;
  if (database.outcome === 'OK') {
    yield config.firestoreEmulatorHost === undefined
      ? await checkIndexes(store)
      : skipped('Indexes', 'an emulator needs none');
  }
}
