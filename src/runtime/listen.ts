import { lstatSync, unlinkSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { connect, isIPv6 } from 'node:net';
import { RolesAnywhereError } from '../errors.ts';
import { errnoOf, reasonOf } from './errno.ts';
import { platform } from './platform.ts';
import { listenOnInherited } from './server-socket.ts';

/** Where to listen: at an address or host name of this machine, on a unix socket, or on a socket that was inherited. */
export type ListenAddress =
  { readonly host: string; readonly port: number } | { readonly path: string } | { readonly fd: number };

const bindHint = 'name an IP address of this machine: 127.0.0.1, or 0.0.0.0 for all of them';
const failures: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  EADDRINUSE: [
    'the port is taken',
    'another process listens there; choose another port, or 0 for a free one',
  ],
  EACCES: ['permission denied', 'ports below 1024 are for root; choose another port, or 0 for a free one'],
  EADDRNOTAVAIL: ['the address is not one of this machine', bindHint],
  EINVAL: ['the address is not one of this machine', bindHint],
  EAFNOSUPPORT: ['this machine has no addresses of that kind', bindHint],
  ENOTFOUND: ['there is no such address', bindHint],
  EAI_AGAIN: ['there is no such address', bindHint],
};

const socketFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there, or it is no socket',
  // Node.js calls both by one name.
  EACCES: 'permission denied, or no such folder',
  ENOENT: 'no such folder',
  ENAMETOOLONG: 'the path is too long for a socket',
};
/** Bytes of a socket's path by unix(7), its NUL left out; on macOS and the BSDs. Node.js 20 cuts off what is more. */
const longestSocketPath = platform === 'linux' ? 107 : 103;

/**
 * Starts listening. A unix socket is for its owner alone (0600); one that a dead process left behind is replaced.
 *
 * @throws RolesAnywhereError PORT_UNAVAILABLE
 */
export async function listen(server: Server, address: ListenAddress): Promise<void> {
  try {
    if ('path' in address) await listenOnSocket(server, address.path);
    else await start(server, address);
  } catch (error) {
    const code = errnoOf(error) ?? '';
    const where =
      'path' in address
        ? `unix:${address.path}`
        : 'fd' in address
          ? `the inherited descriptor ${address.fd}`
          : `${address.host} port ${address.port}`;
    const [reason, hint] =
      'host' in address
        ? (failures[code] ?? [reasonOf(error)])
        : [('path' in address ? socketFailures[code] : undefined) ?? reasonOf(error)];
    throw new RolesAnywhereError('PORT_UNAVAILABLE', `cannot listen on ${where}: ${reason}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** An address as it stands in a URL. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** How a client on this machine reaches the address: the wildcard addresses stand for loopback. */
export function reachableHost({ address }: Pick<AddressInfo, 'address'>): string {
  return urlHost(address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address);
}

function start(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const listening = (): void => {
      server.off('error', reject);
      resolve();
    };
    if ('fd' in address) listenOnInherited(server, address.fd, listening);
    else server.listen(address, listening);
  });
}

async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (platform !== 'win32' && Buffer.byteLength(path) > longestSocketPath) {
    throw Object.assign(new Error('too long'), { code: 'ENAMETOOLONG' });
  }
  try {
    await startPrivately(server, path);
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE' || !(await isAbandoned(path))) throw error;
    unlinkSync(path);
    await startPrivately(server, path);
  }
}

/** The mode is there from the beginning: between a bind and a chmod others could connect. */
function startPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    // Binds before it returns.
    return start(server, { path });
  } finally {
    process.umask(before);
  }
}

/** Whether the path is a socket that nobody listens on. */
function isAbandoned(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error) => {
      resolve(errnoOf(error) === 'ECONNREFUSED');
    });
  });
}
