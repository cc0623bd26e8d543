import { readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from './errno.ts';

/** `unknown` where it cannot be told: on another machine, in another container, without /proc. */
export type Life = 'running' | 'stopped' | 'gone' | 'unknown';

/**
 * This process, by a name under which others can ask `lifeOf` for it: its number, when it began (a number is given again
 * one day), and the space of numbers and the start of the machine that both belong to (proc(5), pid_namespaces(7)).
 * Empty without /proc.
 */
export function processName(): string {
  try {
    const { started } = status('self');
    return [process.pid, started, ...space()].join(' ');
  } catch {
    return '';
  }
}

/** How it is with a process that said `processName`. */
export function lifeOf(name: string): Life {
  const [pid = '', began, ...where] = name.split(' ');
  try {
    if (!/^\d+$/.test(pid) || where.join(' ') !== space().join(' ')) return 'unknown';
  } catch {
    return 'unknown';
  }
  try {
    const { state, started } = status(pid);
    if (started !== began || 'ZXx'.includes(state)) return 'gone';
    return 'Tt'.includes(state) ? 'stopped' : 'running';
  } catch {
    // /proc may hide the processes of other users: its option hidepid, systemd's ProtectProc.
    return isThere(Number(pid)) ? 'unknown' : 'gone';
  }
}

/** By kill(2), which tells the processes of others from none. */
function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

function space(): [string, string] {
  return [
    readlinkSync('/proc/self/ns/pid'),
    readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
  ];
}

/** The fields behind the program's name, which is in parentheses and may hold anything. */
function status(pid: string): { readonly state: string; readonly started: string } {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // state is the 3rd field, starttime the 22nd.
  const [state, started] = [fields[0], fields[19]];
  if (state === undefined || started === undefined) throw new Error('not as proc(5) says');
  return { state, started };
}
