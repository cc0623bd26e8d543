import { RolesAnywhereError } from '../errors.ts';
import { exitCodes } from './exit-codes.ts';
import { readFast } from './fast-path.ts';
import type { Reading } from './fast-path.ts';
import type { CommandName } from './options.ts';
import { ReaderGone, tell } from './output.ts';

type Run<N extends CommandName> = (reading: Reading<N>) => Promise<void> | void;

/** Each command is loaded when it runs, and nothing before. */
const runners: { readonly [N in CommandName]: () => Promise<{ readonly run: Run<N> }> } = {
  'credential-process': () => import('./commands/credential-process.ts'),
  emulator: () => import('./commands/emulator.ts'),
  completion: () => import('./commands/completion.ts'),
  version: () => import('./commands/version.ts'),
  help: () => import('./commands/help.ts'),
};

/**
 * Runs one command line (without the runtime and the script) to its end; everything that fails is told on standard
 * error.
 *
 * @returns the exit code, as docs/command-line.md lists them
 */
export async function main(words: readonly string[]): Promise<number> {
  process.on('uncaughtException', (error) => process.exit(fail(error)));
  try {
    await run(readFast(words) ?? (await (await import('./careful-path.ts')).readCarefully(words)));
    return 0;
  } catch (error) {
    return fail(error);
  }
}

async function run<N extends CommandName>(reading: Reading<N>): Promise<void> {
  const command = await runners[reading.command]();
  await command.run(reading);
}

function fail(error: unknown): number {
  if (error instanceof ReaderGone) return exitCodes.FILE_UNWRITABLE;
  if (error instanceof RolesAnywhereError) {
    tell('error', error.message);
    if (error.hint !== undefined) tell('hint', error.hint);
    return exitCodes[error.code];
  }
  const name = error instanceof Error ? error.name : typeof error;
  tell('error', `this is a defect in rolesanywhere, please report it (${name})`);
  return exitCodes.INTERNAL;
}
