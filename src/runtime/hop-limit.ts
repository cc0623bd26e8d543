import type { Server } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { RolesAnywhereError } from '../errors.ts';
import { loadLibc } from './libc.ts';
import { descriptorOf } from './server-socket.ts';

/** What packets leave with when nobody says otherwise: on Linux, net.ipv4.ip_default_ttl. */
export const usualHopLimit = 64;

/** From ip(7) and ipv6(7). */
const options = {
  IPv4: [{ level: 0, name: 2 }],
  // An IPv6 socket may take IPv4 connections too.
  IPv6: [
    { level: 41, name: 16 },
    { level: 0, name: 2 },
  ],
} as const;

/**
 * Makes every packet that answers a new connection to this server cross at most so many routers. On Linux, connections
 * inherit it from the listening socket, so that it is set once; those that are there already keep what they have. On a
 * unix socket it means nothing.
 *
 * @param limit 1 to 255
 * @throws RolesAnywhereError PORT_UNAVAILABLE where it cannot be set
 */
export async function setHopLimit(server: Server, limit: number): Promise<void> {
  const address = server.address();
  if (address === null || typeof address === 'string') return;
  const libc = await loadLibc();
  if (libc === undefined) {
    throw cannot(
      'this needs Linux and the optional package koffi',
      'leave --hop-limit out, or install koffi',
    );
  }
  const descriptor = descriptorOf(server);
  for (const { level, name } of options[address.family === 'IPv6' ? 'IPv6' : 'IPv4']) {
    const errno = libc.setSocketOption(descriptor, level, name, limit);
    if (errno !== 0) throw cannot(getSystemErrorName(-errno));
  }
}

function cannot(why: string, hint?: string): RolesAnywhereError {
  return new RolesAnywhereError('PORT_UNAVAILABLE', `cannot set the hop limit: ${why}`, {
    ...(hint !== undefined && { hint }),
  });
}
