import { RolesAnywhereError } from '../errors.ts';
import { run as cachedCredentialProcess } from './commands/cached-credential-process.ts';
import { printVersion } from './commands/version.ts';
import { exitCodes } from './exit-codes.ts';
import { readFast } from './fast-path.ts';
import type { Reading, Value } from './fast-path.ts';
import { commands } from './options.ts';
import type { Command, CommandName } from './options.ts';
import { ReaderGone, tell, tellLine } from './output.ts';
import { wantsCache } from './wants-cache.ts';

/** Returns the exit code, where it has one of its own. */
type Run<N extends CommandName> = (reading: Reading<N>) => unknown;

/**
 * Each command is loaded when it runs, and nothing before: scripts/build.mjs makes a file of each import() here. But for
 * the smallest and the most frequent, for which a file of their own would cost more than they do.
 */
const runners: { readonly [N in CommandName]: (reading: Reading<N>) => Promise<{ readonly run: Run<N> }> } = {
  'credential-process': ({ values }) =>
    wantsCache(values)
      ? Promise.resolve({ run: cachedCredentialProcess })
      : import('./commands/credential-process.ts'),
  'read-certificate-data': () => import('./commands/read-certificate-data.ts'),
  'sign-string': () => import('./commands/sign-string.ts'),
  serve: () => import('./commands/serve.ts'),
  update: () => import('./commands/update.ts'),
  emulator: () => import('./commands/emulator.ts'),
  'redshift credentials': async () => ({ run: (await import('./commands/redshift.ts')).credentials }),
  'redshift url': async () => ({ run: (await import('./commands/redshift.ts')).url }),
  'redshift env': async () => ({ run: (await import('./commands/redshift.ts')).env }),
  'redshift exec': async () => ({ run: (await import('./commands/redshift.ts')).exec }),
  'redshift connect': async () => ({ run: (await import('./commands/redshift.ts')).connect }),
  'redshift check': async () => ({ run: (await import('./commands/redshift.ts')).check }),
  'redshift policy': async () => ({ run: (await import('./commands/redshift.ts')).policy }),
  completion: () => import('./commands/completion.ts'),
  version: () => Promise.resolve({ run: printVersion }),
  help: () => import('./commands/help.ts'),
};

/**
 * Runs one command line (without the runtime and the script) to its end; everything that fails is told on standard
 * error.
 *
 * @returns the exit code, as docs/command-line.md lists them
 */
export async function main(words: readonly string[]): Promise<number> {
  let debug = false;
  // Rejections that nobody awaits end here too.
  process.on('uncaughtException', (error) => process.exit(fail(error, debug)));
  // Who waits for what never comes would end without a word, as after a success.
  process.on('beforeExit', () => process.exit(fail(new Error('nothing is left to wait for'), debug)));
  try {
    if (words.length === 0) {
      const { helpText } = await import('./commands/help.ts');
      tellLine((await helpText()).trimEnd());
      return exitCodes.INVALID_ARGUMENT;
    }
    const reading = readFast(words) ?? (await (await import('./careful-path.ts')).readCarefully(words));
    const values: Readonly<Record<string, Value>> = reading.values;
    debug = values['debug'] === true;
    refuseLaterOptions(reading);
    return await run(reading);
  } catch (error) {
    return fail(error, debug);
  }
}

async function run<N extends CommandName>(reading: Reading<N>): Promise<number> {
  const command = await runners[reading.command](reading);
  const code = await command.run(reading);
  return typeof code === 'number' ? code : 0;
}

function refuseLaterOptions({ command, values }: Reading): void {
  const options: Command['options'] = commands[command].options;
  for (const [name, value] of Object.entries(values)) {
    if (value && options[name]?.later === true) {
      throw new RolesAnywhereError('INVALID_ARGUMENT', `--${name} is not in this version yet`);
    }
  }
}

function fail(error: unknown, debug: boolean): number {
  if (error instanceof ReaderGone) return exitCodes.FILE_UNWRITABLE;
  if (debug) tellOrigin(error);
  if (error instanceof RolesAnywhereError) {
    tell('error', error.message, error.hint);
    return exitCodes[error.code];
  }
  tell(
    'error',
    `this is a defect of rolesanywhere (${kind(error)})`,
    'please report it, with what it says under --debug',
  );
  return exitCodes.INTERNAL;
}

/** Where an error and its causes came from. Without their messages, which may quote what they failed on. */
function tellOrigin(error: unknown): void {
  tell('debug', kind(error));
  if (!(error instanceof Error)) return;
  const frames = error.stack?.replace(error.message, '').match(/^ +at .+$/gm) ?? [];
  for (const frame of frames) tell('debug', frame);
  if (error.cause !== undefined) tellOrigin(error.cause);
}

function kind(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error && typeof error.code === 'string' ? `${error.name} ${error.code}` : error.name;
}
