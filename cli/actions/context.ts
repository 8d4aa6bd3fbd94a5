import { z } from 'zod';

import { readConfig } from '../../shared/config.ts';
import { shellQuoted } from '../../shared/text.ts';
import type { Cli } from '../cli.ts';
import { note, writeJson, writeTable } from '../output.ts';
import { wrongInput } from '../cli-error.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import {
  changeContexts,
  type Context,
  contextName,
  LOCAL,
  readContexts,
  withContext,
} from '../service/contexts.ts';
import { unknownContext } from '../service/service.ts';

export interface UseContextOptions {
  readonly project?: string;
  readonly database?: string;
}

export async function listContexts(cli: Cli): Promise<ExitCode> {
  const { current, contexts } = readContexts(cli.environment);
  const names = Object.keys(contexts).toSorted();
  if (cli.json) {
    writeJson(cli, {
      contexts: names.map((name) => ({ name, isInUse: name === current, ...contexts[name] })),
    });
    return exitCodes.DONE;
  }
  if (names.length === 0) {
    note(
      cli,
      'No contexts. npm start makes one for the service on this machine; context use NAME --project PROJECT makes one for a project.',
    );
    return exitCodes.DONE;
  }
  writeTable(cli, {
    header: ['', 'CONTEXT', 'SERVICE'],
    rows: names.map((name) => [name === current ? '*' : '', name, placeOf(contexts[name])]),
    ids: names,
    csv: {
      header: ['context', 'isInUse', 'service'],
      rows: names.map((name) => [name, String(name === current), placeOf(contexts[name])]),
    },
  });
  return exitCodes.DONE;
}

function placeOf(context: Context | undefined): string {
  if (context?.kind === 'project') {
    return `project ${context.project}, database ${context.database ?? '(default)'}`;
  }
  return context?.running
    ? `on this machine, started in ${context.running.folder}`
    : 'not running (npm start)';
}

export async function useContext(
  cli: Cli,
  name: string,
  { project, database }: UseContextOptions,
): Promise<ExitCode> {
  const wrongName = contextName.safeParse(name).error;
  if (wrongName) {
    throw wrongInput('ARGUMENTS_WRONG', `A context's name has ${z.flattenError(wrongName).formErrors[0]}.`);
  }
  if (project === undefined && database !== undefined) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give --project together with --database.');
  }
  if (project !== undefined) {
    if (name === LOCAL) {
      throw wrongInput('ARGUMENTS_WRONG', `${LOCAL} is the service of npm start. Choose another name.`);
    }
    // The same check as for the variable.
    readConfig({ GOOGLE_CLOUD_PROJECT: project, FIRESTORE_DATABASE: database });
  }
  await changeContexts(cli.environment, (contexts) => {
    const context =
      project === undefined ? contexts.contexts[name] : { kind: 'project' as const, project, database };
    if (!context) {
      throw unknownContext(name, Object.keys(contexts.contexts));
    }
    return withContext(contexts, name, context);
  });
  const context = readContexts(cli.environment).contexts[name];
  if (cli.json) {
    writeJson(cli, { name, ...context });
  } else {
    cli.terminal.out(`Using ${name}: ${placeOf(context)}.`);
  }
  writeIfIgnored(cli);
  return exitCodes.DONE;
}

/** Variables win over a context, which would surprise whoever just chose one. */
function writeIfIgnored(cli: Cli): void {
  const set = ['GOOGLE_CLOUD_PROJECT', 'FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST'].filter(
    (name) => cli.environment[name],
  );
  if (set.length > 0) {
    note(cli, `This terminal still uses ${set.join(', ')}: unset them to use the context here.`);
  }
}

export async function printEnvironment(cli: Cli): Promise<ExitCode> {
  const { environment, isLocal, embeddedAt } = await cli.service();
  if (embeddedAt !== undefined) {
    throw wrongInput(
      'ARGUMENTS_WRONG',
      "The service runs without Google's emulators, so other programs cannot reach it. Install the emulators (README.md, Try it), and start it again.",
    );
  }
  const config = readConfig(environment);
  const names = [
    'GOOGLE_CLOUD_PROJECT',
    'FIRESTORE_DATABASE',
    'FIRESTORE_EMULATOR_HOST',
    'PUBSUB_EMULATOR_HOST',
    'EARTHENGINE_EMULATOR_HOST',
    'METADATA_SERVER_DETECTION',
  ];
  const values = Object.fromEntries(
    names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  ) as Record<string, string>;
  if (isLocal) {
    // gcloud has its own variables for an emulator.
    values['CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB'] = `http://${config.pubsubEmulatorHost}/`;
    values['CLOUDSDK_AUTH_DISABLE_CREDENTIALS'] = 'true';
  }
  if (cli.json) {
    writeJson(cli, values);
  } else {
    for (const [name, value] of Object.entries(values)) {
      cli.terminal.out(`export ${name}=${shellQuoted(value)}`);
    }
  }
  return exitCodes.DONE;
}
