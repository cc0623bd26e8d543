import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import type { NetConnectOpts, Socket } from 'node:net';

/** Connects as `node:net` does elsewhere: Bun calls each failure of a unix socket ECONNREFUSED, a full backlog too. */
export function connect(options: NetConnectOpts): Socket {
  const socket = connectSocket(options);
  if ('path' in options) {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && isListening(options.path)) error.code = 'EAGAIN';
    });
  }
  return socket;
}

/** By proc_net_unix(5): `Num RefCount Protocol Flags Type St Inode Path`; the flag is __SO_ACCEPTCON. */
function isListening(path: string): boolean {
  try {
    const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
    return sockets.some((line) => line.split(' ')[3] === '00010000' && line.endsWith(` ${path}`));
  } catch {
    return false; // Another system, or no /proc.
  }
}
