import { spawn } from 'node:child_process';

import type { ExportRecord } from '../../shared/model/record.ts';
import type { Stored } from '../../shared/store/store.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { writeJson } from '../output.ts';
import { recordOf, requireTarget } from '../targets.ts';

type Place = 'video' | 'bucket' | 'task' | 'record';

export interface OpenOptions {
  readonly in?: Place;
}

/** Prints an address of the Google Cloud console, and opens it on a terminal. */
export async function open(cli: Cli, id: string, { in: place }: OpenOptions): Promise<ExitCode> {
  const record = recordOf(await requireTarget(cli, id));
  if (!record) {
    throw wrongInput('ARGUMENTS_WRONG', `${id} is a batch. Give a record id or a job key.`);
  }
  const chosen = place ?? placeOf(record.value);
  const url = await addressOf(cli, record, chosen);
  if (cli.json) {
    writeJson(cli, { id: record.id, place: chosen, url });
  } else {
    cli.terminal.out(url);
  }
  if (cli.terminal.isInteractive) {
    openInBrowser(url);
  }
  return exitCodes.DONE;
}

function placeOf(record: ExportRecord): Place {
  if (record.state === 'SUCCEEDED') {
    return record.delivery?.object === undefined ? 'bucket' : 'video';
  }
  return 'operation' in record && record.operation !== undefined ? 'task' : 'record';
}

async function addressOf(cli: Cli, { id, value }: Stored<ExportRecord>, place: Place): Promise<string> {
  const console = 'https://console.cloud.google.com';
  switch (place) {
    case 'video': {
      const object = value.state === 'SUCCEEDED' ? value.delivery?.object : undefined;
      if (object === undefined) {
        throw new CliError('NOT_FOUND', `The video of ${id} is not known. To see why, run show ${id}.`);
      }
      // Plays in a browser, for those who may read the bucket.
      return `https://storage.cloud.google.com/${encodePath(object.slice('gs://'.length))}`;
    }
    case 'bucket': {
      const { destination = '' } = value;
      const reported = value.state === 'SUCCEEDED' ? value.outputUris[0] : undefined;
      if (!destination.startsWith('gs://')) {
        return reported ?? 'https://drive.google.com';
      }
      // Up to the last slash, the prefix is a folder.
      const folder = destination.slice('gs://'.length).replace(/[^/]*$/, '');
      return `${console}/storage/browser/${encodePath(folder)}`;
    }
    case 'task':
      if (!('operation' in value) || value.operation === undefined) {
        throw new CliError(
          'NOT_FOUND',
          `${id} has no task yet (${value.state}). To see why, run show ${id}.`,
        );
      }
      return `https://code.earthengine.google.com/tasks?project=${value.project}&task=${value.operation.split('/').at(-1)}`;
    case 'record': {
      const { googleCloudProject, firestoreDatabase } = await cli.config();
      const database = firestoreDatabase === '(default)' ? '-default-' : firestoreDatabase;
      return `${console}/firestore/databases/${database}/data/panel/videoExports/${id}?project=${googleCloudProject}`;
    }
  }
}

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Best effort: the address is printed already, and a machine without a browser is normal. */
function openInBrowser(url: string): void {
  const command = { darwin: 'open', win32: 'explorer.exe' }[process.platform as string] ?? 'xdg-open';
  spawn(command, [url], { detached: true, stdio: 'ignore' })
    .on('error', () => {})
    .unref();
}
