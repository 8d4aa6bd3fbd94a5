import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network connection to a server that can be cut, without any effect on the server itself. */
export interface TcpGate {
  /** host:port */
  readonly host: string;
  /** Breaks every connection, and each new one until `restore`. */
  cut(): void;
  restore(): void;
  close(): Promise<void>;
}

/** @param target host:port */
export async function openTcpGate(target: string): Promise<TcpGate> {
  const separator = target.lastIndexOf(':');
  const [host, port] = [target.slice(0, separator), Number(target.slice(separator + 1))];
  const sockets = new Set<Socket>();
  let isCut = false;

  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // A broken connection is intended here, and breaks the other side as well.
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
  };
  const server = createServer((near) => {
    if (isCut) {
      near.on('error', () => {}).resetAndDestroy();
      return;
    }
    const far = connect({ host, port });
    keep(near, far);
    keep(far, near);
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const breakAll = (): void => {
    // Not resetAndDestroy: on a closing socket it fails and leaves a handle, so that Node never exits.
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      breakAll();
    },
    restore() {
      isCut = false;
    },
    async close() {
      server.close();
      breakAll();
      await once(server, 'close');
    },
  };
}
