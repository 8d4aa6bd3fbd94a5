import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { runInProcess } from '../local-user.ts';

/**
 * A command `ee-video-exports` for shells, which this process runs: the guides have dozens, and starting a process that loads
 * Google's clients takes most of the time of each.
 */
export interface ServedCli extends AsyncDisposable {
  /** The file to execute. */
  readonly file: string;
}

/** Sends its arguments, environment, and input, and prints what comes back. */
const client = `
const { connect } = require('node:net');
const { fstatSync, readFileSync } = require('node:fs');
const input = fstatSync(0);
const stdin = input.isFIFO() || input.isFile() ? readFileSync(0, 'utf8') : '';
const socket = connect(process.env.SERVED_CLI);
socket.write(JSON.stringify({ args: process.argv.slice(2), environment: process.env, stdin }) + '\\n');
process.exitCode = 70;
require('node:readline').createInterface({ input: socket }).on('line', (line) => {
  const { out, err, code } = JSON.parse(line);
  if (out !== undefined) process.stdout.write(out + '\\n');
  if (err !== undefined) process.stderr.write(err + '\\n');
  if (code !== undefined) process.exitCode = code;
});
`;

interface Command {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string;
}

export async function serveCli(folder: string): Promise<ServedCli> {
  const path = join(folder, 'cli.sock');
  const server = createServer((socket) => {
    // A reader that stops early, such as head, closes it.
    socket.on('error', () => {});
    createInterface({ input: socket }).once(
      'line',
      (line) => void answer(socket, JSON.parse(line) as Command),
    );
  });
  server.listen(path);
  await once(server, 'listening');
  const script = join(folder, 'client.cjs');
  await writeFile(script, client);
  const file = join(folder, 'served-cli');
  await writeFile(file, `#!/bin/sh\nSERVED_CLI="${path}" exec "${process.execPath}" "${script}" "$@"\n`);
  await chmod(file, 0o755);
  return {
    file,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

async function answer(socket: Socket, { args, environment, stdin }: Command): Promise<void> {
  const send = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`);
  const code = await runInProcess(args, environment, {
    out: (out) => send({ out }),
    err: (err) => send({ err }),
    stdin,
  });
  send({ code });
  socket.end();
}
