import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/**
 * The descriptor of a listening socket: Bun's HTTP servers do not tell it, but the kernel does, by the port
 * (proc_net(5): in hexadecimal behind the address, and 0A is the state LISTEN).
 *
 * @throws Error where there is no /proc
 */
export function descriptorOf(server: Server): number {
  const { port } = server.address() as AddressInfo;
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) === true && state === '0A')
    .map((fields) => `socket:[${fields[9] ?? ''}]`);
  const own = readdirSync('/proc/self/fd').find((descriptor) => inodes.includes(targetOf(descriptor)));
  if (own === undefined) throw new Error('the listening socket is not in /proc/self/fd');
  return Number(own);
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ''; // The one that the folder itself was read by.
  }
}

/**
 * Listens on a socket that was inherited. Bun's HTTP servers would listen elsewhere, and on every address; its servers
 * of bare connections do it right, and hand over what comes.
 */
export function listenOnInherited(server: Server, fd: number, listening: () => void): void {
  const limit = limitTime(server);
  const front = createServer((socket) => {
    limit(socket);
    server.emit('connection', socket);
  });
  front.maxConnections = server.maxConnections;
  front.on('error', (error) => server.emit('error', error));
  server.address = () => {
    // Of a unix socket it is empty here, where Node.js has the path.
    const address = front.address() as Partial<AddressInfo> | null;
    return address?.port === undefined ? null : (address as AddressInfo);
  };
  server.close = (done) => {
    front.close(done);
    return server;
  };
  front.listen({ fd }, listening);
}

/**
 * What the server does for connections of its own alone: who has not asked for something, and taken the answer, within
 * `requestTimeout` milliseconds is cut off.
 *
 * @returns what to call with each connection
 */
function limitTime(server: Server): (socket: Socket) => void {
  const { requestTimeout } = server as Server & Pick<HttpServer, 'requestTimeout'>;
  const timers = new WeakMap<Socket, NodeJS.Timeout>();
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    response.once('close', () => timers.get(socket)?.refresh());
  });
  return (socket) => {
    const timer = setTimeout(() => {
      socket.destroy();
    }, requestTimeout);
    timers.set(socket, timer);
    socket.once('close', () => {
      clearTimeout(timer);
    });
  };
}
