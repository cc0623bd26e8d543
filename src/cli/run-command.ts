import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { RolesAnywhereError } from '../errors.ts';
import { errnoOf, reasonOf } from '../runtime/errno.ts';

/** What ends or informs a command when it is sent to us; those of a terminal reach the command by themselves. */
const passedOn = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;
const ofTerminals = ['SIGINT', 'SIGQUIT'] as const;
/** To die by these, as the command did, leaves no core dump. */
const harmless = ['SIGTERM', 'SIGHUP', 'SIGINT'];

export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What to do when there is no such command. */
  readonly hint?: string;
}

/**
 * Runs a command as if it stood in this process's place, as nearly as Node.js lets us: its streams are ours, signals
 * that we get go to it, and it ends us as it ends: by its exit code, or its signal.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE when it cannot be started
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  { env, hint }: RunOptions,
): Promise<number> {
  let child: ChildProcess | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    child?.kill(signal);
  };
  // A terminal sends these to all of its foreground processes, to the command too; only without one are they for us
  // alone. Either way they do not end us ahead of the command.
  const swallow = hasTerminal() ? (): void => undefined : forward;
  const listeners = [
    ...passedOn.map((signal) => [signal, forward] as const),
    ...ofTerminals.map((signal) => [signal, swallow] as const),
  ];
  for (const [signal, listener] of listeners) process.on(signal, listener);
  const release = (): void => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      // After the listeners: a signal may come as soon as the command runs. Of the errors, it throws some.
      child = spawn(command, args, { stdio: 'inherit', env });
      child.once('error', reject);
      child.once('exit', (...ending) => {
        resolve(ending);
      });
    });
    if (signal === null) return code ?? 1;
    release();
    if (harmless.includes(signal)) process.kill(process.pid, signal);
    // As shells say it of a command that died by a signal.
    return 128 + constants.signals[signal];
  } catch (error) {
    // The second is of an empty word.
    const isMissing = ['ENOENT', 'ERR_INVALID_ARG_VALUE'].includes(errnoOf(error) ?? '');
    throw new RolesAnywhereError(
      'FILE_UNREADABLE',
      `cannot run ${command}: ${isMissing ? 'no such command' : reasonOf(error)}`,
      { cause: error, ...(hint === undefined ? {} : { hint }) },
    );
  } finally {
    release();
  }
}

/** Whether this process belongs to a terminal, whatever its standard streams are. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
