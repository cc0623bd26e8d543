import { getSystemErrorName } from 'node:util';
import { RolesAnywhereError } from '../errors.ts';
import type { Reporter } from '../reporter.ts';
import { env } from './env.ts';
import { loadLibc } from './libc.ts';

/** The first descriptor that is passed (sd_listen_fds(3)). */
const firstDescriptor = 3;

/**
 * The listening socket that systemd made for this process (sd_listen_fds(3)); undefined when it made none.
 *
 * @throws RolesAnywhereError PORT_UNAVAILABLE when there are several
 */
export function inheritedSocket(): number | undefined {
  const count = Number(env('LISTEN_FDS') ?? 0);
  if (env('LISTEN_PID') !== String(process.pid) || !(count > 0)) return undefined;
  if (count === 1) return firstDescriptor;
  throw new RolesAnywhereError('PORT_UNAVAILABLE', `the service manager passed ${count} sockets, not one`, {
    hint: 'write one ListenStream= line in the socket unit',
  });
}

/** Tells the service manager how this process is: sd_notify(3). */
export interface ServiceManager {
  /** Sends assignments such as `READY=1`; there is nobody to tell when that fails. */
  notify(...assignments: readonly string[]): void;
  /** Says that it loads anew (SIGHUP), until the next `READY=1`; what Type=notify-reload waits for. */
  notifyReloading(): void;
  /** Milliseconds within which it wants to hear that this process lives; undefined when it does not care. */
  readonly watchdogMilliseconds: number | undefined;
}

const silent: ServiceManager = {
  notify: () => undefined,
  notifyReloading: () => undefined,
  watchdogMilliseconds: undefined,
};

/**
 * Connects to the service manager, if this process was started by one that wants to hear of it (NOTIFY_SOCKET).
 * Unix datagrams are a call of the C library: `systemd-notify` would do it only with NotifyAccess=all, for it would be
 * another process that speaks.
 */
export async function connectToServiceManager(reporter: Reporter): Promise<ServiceManager> {
  const path = env('NOTIFY_SOCKET');
  if (path === undefined) return silent;
  const unreachable = (why: string): ServiceManager => {
    reporter.warn(
      `cannot reach the service manager at ${path}: ${why}`,
      'a unit with Type=notify would wait in vain: write Type=exec',
    );
    return silent;
  };
  if (!/^[/@]/.test(path)) return unreachable('it is no unix socket');
  const libc = await loadLibc();
  if (libc === undefined) return unreachable('this needs Linux and the optional package koffi');
  const socket = libc.connectDatagrams(unixFamily, unixAddress(path));
  if (typeof socket === 'number') return unreachable(getSystemErrorName(-socket));
  const notify = (...assignments: readonly string[]): void => {
    // One assignment a line: a status is one line.
    socket.send(Buffer.from(assignments.map((line) => `${line.replace(/\s+/g, ' ')}\n`).join('')));
  };
  return {
    notify,
    notifyReloading: () => {
      // CLOCK_MONOTONIC, which is what Node.js tells here.
      notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    },
    watchdogMilliseconds: watchdog(),
  };
}

const unixFamily = 1;

/** A sockaddr_un (unix(7)): the family in the machine's byte order, and the path; `@` stands for an abstract name's NUL. */
function unixAddress(path: string): Uint8Array {
  const family = new Uint8Array(Uint16Array.of(unixFamily).buffer);
  return Buffer.concat([family, Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`)]);
}

/** sd_watchdog_enabled(3) */
function watchdog(): number | undefined {
  const microseconds = Number(env('WATCHDOG_USEC') ?? 0);
  const forOther = (env('WATCHDOG_PID') ?? String(process.pid)) !== String(process.pid);
  return forOther || !(microseconds > 0) ? undefined : microseconds / 1000;
}
