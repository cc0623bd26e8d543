import { closeSync } from 'node:fs';
import type { Libc } from '../libc.ts';

export type { DatagramSocket, Libc } from '../libc.ts';

/** Of `bun:ffi` (https://bun.com/docs/runtime/ffi), what is used here. */
interface Ffi {
  readonly dlopen: (
    library: string,
    functions: Readonly<Record<string, { readonly args: readonly string[]; readonly returns: string }>>,
  ) => { readonly symbols: Readonly<Record<string, (...values: readonly unknown[]) => number>> };
  readonly ptr: (bytes: ArrayBufferView) => unknown;
  readonly read: { i32(pointer: unknown): number };
}

const socketType = { datagram: 2, closeOnExec: 0o2_000_000 };
const sendFlags = { doNotWait: 0x40, noSignal: 0x4000 };

/** The C library that the executable was linked with: glibc, or musl, which is one file with the dynamic loader. */
const libraries = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'];

/** What libc.ts does on Node.js by koffi. */
export async function loadLibc(): Promise<Libc | undefined> {
  if (process.platform !== 'linux') return undefined;
  // @ts-expect-error -- a module of the runtime itself
  const { dlopen, ptr, read } = (await import('bun:ffi')) as Ffi;
  const open = (library: string): ReturnType<Ffi['dlopen']>['symbols'] | undefined => {
    try {
      return dlopen(library, {
        setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
        socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
        connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
        send: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i64_fast' },
        __errno_location: { args: [], returns: 'ptr' },
      }).symbols;
    } catch {
      return undefined;
    }
  };
  const c = libraries.reduce<ReturnType<typeof open>>((found, library) => found ?? open(library), undefined);
  if (c === undefined) return undefined;
  const call = (name: string, ...values: readonly unknown[]): number => c[name]?.(...values) ?? -1;
  const outcome = (result: number): number => (result < 0 ? read.i32(call('__errno_location')) : 0);
  return {
    setSocketOption: (descriptor, level, option, value) =>
      outcome(call('setsockopt', descriptor, level, option, ptr(Int32Array.of(value)), 4)),
    connectDatagrams(family, address) {
      const descriptor = call('socket', family, socketType.datagram | socketType.closeOnExec, 0);
      const failure =
        outcome(descriptor) || outcome(call('connect', descriptor, ptr(address), address.length));
      if (failure !== 0) {
        if (descriptor >= 0) closeSync(descriptor);
        return failure;
      }
      return {
        send: (message) =>
          outcome(
            call('send', descriptor, ptr(message), message.length, sendFlags.doNotWait | sendFlags.noSignal),
          ),
      };
    },
  };
}
