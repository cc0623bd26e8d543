import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { runtimes } from './runtimes/runtimes.mjs';

/** The standalone executable, where that is what is tested: the project `exe` of vitest.config.ts. */
const executable = process.env['ROLESANYWHERE_TEST_EXECUTABLE'];

/** The built command's entry. */
export const commandFile = resolve(executable ?? 'bin/rolesanywhere.js');

/** The words that start the built command, or a link to it; on a runtime, where it is not its own. */
export const commandWords = (
  file = commandFile,
  node = process.env['ROLESANYWHERE_TEST_NODE'] ?? process.execPath,
): readonly [string, ...string[]] => (executable === undefined ? [node, file] : [file]);

/** Every runtime that the built command is tested on, to be given to the function above. */
export const commandRuntimes = (): readonly { readonly name: string; readonly path: string }[] =>
  executable === undefined
    ? runtimes().map(({ name, path }) => ({ name: `Node.js ${name}`, path }))
    : [{ name: 'its own runtime', path: '' }];

/** The words that start the built command, for a line of a shell. */
export const shellCommand = commandWords()
  .map((word) => `'${word}'`)
  .join(' ');

export interface EmulatorProcess {
  readonly endpoint: string;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** Everything that it wrote of what came before: its lines arrive here later than its answers there. */
  output(): Promise<string>;
  /** How often it was asked for an operation, by its log. */
  asked(operation: string): Promise<number>;
  close(): Promise<void>;
}

/** Starts the built command's emulator, on the given runtime, and waits until it listens. */
export const startEmulatorProcess = async (
  options: readonly string[],
  command: readonly [string, ...string[]] = commandWords(),
): Promise<EmulatorProcess> => {
  const [program, ...words] = command;
  const child = spawn(program, [...words, 'emulator', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  const ended = once(child, 'close');
  let output = '';
  const keep = (line: string): string => (output += `${line}\n`);
  const log = createInterface(child.stderr).on('line', keep);
  const lines = createInterface(child.stdout).on('line', keep);
  const first = await Promise.race([once(lines, 'line') as Promise<[string]>, ended.then(() => undefined)]);
  if (first === undefined) throw new Error(`the emulator did not start: ${output}`);
  const names = JSON.parse(first[0]) as Pick<
    EmulatorProcess,
    'endpoint' | 'trustAnchorArn' | 'profileArn' | 'roleArn'
  >;
  const settled = async (): Promise<string> => {
    const mark = randomUUID();
    await fetch(`${names.endpoint}/${mark}`);
    while (!output.includes(mark)) await once(log, 'line');
    output = output.replace(new RegExp(`^.*${mark}.*\n`, 'm'), '');
    return output;
  };
  return {
    ...names,
    output: settled,
    asked: async (operation) => (await settled()).split(`"operation":"${operation}"`).length - 1,
    close: async () => {
      child.kill();
      await ended;
    },
  };
};

/** The credential-process words for a session with it. */
export const sessionWords = (
  { endpoint, trustAnchorArn, profileArn, roleArn }: EmulatorProcess,
  { certificate, key }: { readonly certificate: string; readonly key: string },
): string[] => [
  ...['credential-process', '--endpoint', endpoint, '--certificate', certificate, '--private-key', key],
  ...['--trust-anchor-arn', trustAnchorArn, '--profile-arn', profileArn, '--role-arn', roleArn],
];
