import { closeSync } from 'node:fs';
import type koffiModule from 'koffi';
import { platform } from './platform.ts';

/**
 * The calls of the C library that Node.js has none for. Each returns 0 when it is done, else the error's number
 * (errno(3)). This file is all that knows how a runtime makes such calls.
 */
export interface Libc {
  setSocketOption(descriptor: number, level: number, option: number, value: number): number;
  /** Opens a datagram socket whose every message goes to the address, a `sockaddr` as bytes. */
  connectDatagrams(family: number, address: Uint8Array): DatagramSocket | number;
}

export interface DatagramSocket {
  /** Never waits: what cannot be taken at once is an error. */
  send(message: Uint8Array): number;
}

const socketType = { datagram: 2, closeOnExec: 0o2_000_000 };
const sendFlags = { doNotWait: 0x40, noSignal: 0x4000 };

/**
 * Undefined where the optional package is not installed, or has no binary for this platform. It costs 20 ms and 8 MiB:
 * load it when there is something to call.
 */
export async function loadLibc(): Promise<Libc | undefined> {
  // The numbers here, and our callers', are Linux's.
  if (platform !== 'linux') return undefined;
  let koffi: typeof koffiModule;
  try {
    ({ default: koffi } = await import('koffi'));
  } catch {
    return undefined;
  }
  // The C library that this very process runs on, glibc or musl.
  const process = koffi.load(null);
  const setsockopt = process.func(
    'int setsockopt(int socket, int level, int name, const int *value, uint32_t length)',
  );
  const socket = process.func('int socket(int family, int type, int protocol)');
  const connect = process.func('int connect(int socket, const uint8_t *address, uint32_t length)');
  const send = process.func('intptr_t send(int socket, const uint8_t *message, size_t length, int flags)');
  const outcome = (result: unknown): number => (Number(result) < 0 ? koffi.errno() : 0);
  return {
    setSocketOption: (descriptor, level, option, value) =>
      outcome(setsockopt(descriptor, level, option, [value], 4)),
    connectDatagrams(family, address) {
      const descriptor = socket(family, socketType.datagram | socketType.closeOnExec, 0) as number;
      const failure = outcome(descriptor) || outcome(connect(descriptor, address, address.length));
      if (failure !== 0) {
        if (descriptor >= 0) closeSync(descriptor);
        return failure;
      }
      return {
        send: (message) =>
          outcome(send(descriptor, message, message.length, sendFlags.doNotWait | sendFlags.noSignal)),
      };
    },
  };
}
