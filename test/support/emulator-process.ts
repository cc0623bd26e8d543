import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** The built command's entry. */
export const commandFile = resolve('bin/rolesanywhere.js');

export interface EmulatorProcess {
  readonly endpoint: string;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** Everything that it wrote so far. */
  output(): string;
  close(): Promise<void>;
}

/** Starts the built command's emulator, on the given runtime, and waits until it listens. */
export const startEmulatorProcess = async (
  options: readonly string[],
  node = process.execPath,
  command = commandFile,
): Promise<EmulatorProcess> => {
  const child = spawn(node, [command, 'emulator', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  const ended = once(child, 'close');
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const lines = createInterface(child.stdout).on('line', (line) => (output += `${line}\n`));
  const first = await Promise.race([once(lines, 'line') as Promise<[string]>, ended.then(() => undefined)]);
  if (first === undefined) throw new Error(`the emulator did not start: ${output}`);
  return {
    ...(JSON.parse(first[0]) as Pick<
      EmulatorProcess,
      'endpoint' | 'trustAnchorArn' | 'profileArn' | 'roleArn'
    >),
    output: () => output,
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
