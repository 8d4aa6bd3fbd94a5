import { wrongInput } from '../cli-error.ts';
import { closest } from '../../shared/did-you-mean.ts';
import { type Context, type Contexts, type Environment, LOCAL } from './contexts.ts';

/** The service that a command uses. */
export interface Service {
  /** For people: `local (project demo-video-exports)`, `project my-project, database (default)`. */
  readonly name: string;
  /** What chose it, as in `from the context production`; undefined if nothing did. */
  readonly chosenBy: string | undefined;
  /** The environment variables that lead to it. */
  readonly environment: Environment;
  readonly isLocal: boolean;
  /** Where its records and topics are, if one process has them all (embedded.ts): host:port. */
  readonly embeddedAt: string | undefined;
}

const NOT_CHOSEN = 'not chosen yet (npm start, or context use NAME --project PROJECT)';

/** The service, and what chose it, for people. */
export const describeService = ({ name, chosenBy }: Service): string =>
  chosenBy === undefined ? name : `${name}, from ${chosenBy}`;

export interface Choice {
  readonly project?: string | undefined;
  readonly context?: string | undefined;
}

/** The variables that say which service it is. One of them is enough to ignore the context. */
const addresses = [
  'GOOGLE_CLOUD_PROJECT',
  'FIRESTORE_EMULATOR_HOST',
  'PUBSUB_EMULATOR_HOST',
  'EARTHENGINE_EMULATOR_HOST',
] as const;

/**
 * In this order: `--context`, `--project`, the environment, the context in use. A context is used as a whole or not at all:
 * a project of the shell with the emulators of a context would be a third service.
 *
 * @throws CliError if what was given contradicts itself
 */
export function chooseService(
  environment: Environment,
  { project, context: given }: Choice,
  readContexts: () => Contexts,
): Service {
  if (given !== undefined && project !== undefined) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give either --context or --project, not both.');
  }
  if (given !== undefined) {
    return fromContext(environment, given, readContexts());
  }
  if (project !== undefined) {
    return named({ ...environment, GOOGLE_CLOUD_PROJECT: project }, '--project');
  }
  const set = addresses.filter((name) => environment[name]);
  if (set.length > 0) {
    return named(environment, set.join(', '));
  }
  const contexts = readContexts();
  return contexts.current === undefined
    ? named(environment, undefined)
    : fromContext(environment, contexts.current, contexts);
}

function fromContext(environment: Environment, name: string, { contexts }: Contexts): Service {
  const context = contexts[name];
  if (!context) {
    throw unknownContext(name, Object.keys(contexts));
  }
  const without = Object.fromEntries(
    Object.entries(environment).filter(([variable]) => !(addresses as readonly string[]).includes(variable)),
  );
  return named({ ...environmentOf(name, context), ...definedOf(without) }, `the context ${name}`, {
    name,
    isEmbedded: context.kind === 'local' && context.running?.embedded === true,
  });
}

export function unknownContext(name: string, names: readonly string[]): Error {
  const near = closest(name, names);
  const hint =
    near === undefined
      ? names.length === 0
        ? ''
        : ` There is ${names.join(', ')}.`
      : ` Did you mean ${near}?`;
  return wrongInput(
    'CONTEXT_UNKNOWN',
    `There is no context ${name}.${hint} To make one, run context use ${name} --project PROJECT; npm start makes ${LOCAL}.`,
  );
}

/** The variables of a context. @throws CliError if it is the local service and that does not run */
export function environmentOf(name: string, context: Context): Environment {
  if (context.kind === 'project') {
    return {
      GOOGLE_CLOUD_PROJECT: context.project,
      ...(context.database !== undefined && { FIRESTORE_DATABASE: context.database }),
    };
  }
  if (!context.running) {
    throw wrongInput(
      'NOT_RUNNING',
      `The service of the context ${name} is not running. Start it with npm start, or choose another service with context use.`,
    );
  }
  return context.running.environment;
}

function named(
  environment: Environment,
  chosenBy: string | undefined,
  context?: { readonly name: string; readonly isEmbedded: boolean },
): Service {
  const firestore = environment['FIRESTORE_EMULATOR_HOST'];
  const pubsub = environment['PUBSUB_EMULATOR_HOST'];
  if (Boolean(firestore) !== Boolean(pubsub) || (environment['EARTHENGINE_EMULATOR_HOST'] && !firestore)) {
    throw halfLocal(environment);
  }
  const project = environment['GOOGLE_CLOUD_PROJECT'];
  const database = environment['FIRESTORE_DATABASE'] || '(default)';
  const isLocal = Boolean(firestore);
  const embeddedAt = context?.isEmbedded ? firestore : undefined;
  const place = isLocal
    ? `${embeddedAt === undefined ? 'emulators' : 'one process'} at ${firestore}`
    : `database ${database}`;
  const what = `${project ? `project ${project}` : 'no project'}, ${place}`;
  return {
    name: chosenBy === undefined ? NOT_CHOSEN : context === undefined ? what : `${context.name} (${what})`,
    chosenBy,
    environment,
    isLocal,
    embeddedAt,
  };
}

function halfLocal(environment: Environment): Error {
  const [, ...emulators] = addresses;
  const set = emulators.filter((name) => environment[name]);
  const missing = emulators.slice(0, 2).filter((name) => !environment[name]);
  return wrongInput(
    'SERVICE_HALF_LOCAL',
    `Only ${set.join(' and ')} is set, so part of this command would reach a real project. Set ${missing.join(' and ')} too, or unset ${set.join(' and ')}.`,
  );
}

const definedOf = (environment: Environment): Environment =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
