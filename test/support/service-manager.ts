import { startPython } from './python.ts';
import type { PythonScript } from './python.ts';

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
