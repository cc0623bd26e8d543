import { startPython } from './python.ts';
import type { PythonScript } from './python.ts';
import { requirePart } from './system-parts.ts';

// What systemd does at the other end of NOTIFY_SOCKET (sd_notify(3)).
const receiver = `
import socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + name[1:] if name.startswith('@') else name)
print('ready')
while True:
    print(' '.join(receiver.recv(4096).decode().split('\\n')))
`;

export interface ServiceManager extends PythonScript {
  /** The next message that is not one of the watchdog's. */
  next(): Promise<string>;
}

/**
 * Listens as systemd does.
 *
 * @param address a path, or an abstract name behind `@`
 */
export async function startServiceManager(address: string): Promise<ServiceManager> {
  const script = startPython(receiver, address);
  await script.line();
  return {
    ...script,
    async next() {
      for (;;) {
        const message = await script.line();
        if (message !== 'WATCHDOG=1 ') return message;
      }
    },
  };
}

/**
 * What starts a command with a listening socket, as systemd does for a socket unit: descriptor 3, and the process's own
 * number in LISTEN_PID.
 *
 * @param family of Python's module `socket`, as is the address
 * @param count what it says how many sockets there are
 */
export const withSocket = (
  family: 'AF_INET' | 'AF_UNIX',
  address: string,
  count = 1,
): [program: string, ...words: string[]] => [
  requirePart('python3'),
  '-c',
  `
import os, socket, sys
listener = socket.socket(socket.${family}, socket.SOCK_STREAM)
listener.bind(${address})
listener.listen(4096)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='${count}', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])`,
];
