import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The script that package.json's `bin` names. */
export const commandPath = fileURLToPath(new URL('../../bin/rolesanywhere.js', import.meta.url));

export interface RunOptions {
  /** Beside a bare environment (PATH alone): nothing of the machine that runs the tests has a say. */
  readonly env?: Readonly<Record<string, string>>;
  /** What standard input holds; it is empty otherwise. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** The runtime to start; ROLESANYWHERE_TEST_NODE, or the one that runs the tests, by default. */
  readonly node?: string;
  /** Milliseconds until it is killed, which shows as a signal; 30,000 by default. */
  readonly timeout?: number;
  /** Descriptors from 3 on, for fd:N. */
  readonly descriptors?: readonly number[];
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command, as a shell would, to its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return runProgram(runtime(options), [commandPath, ...args], options);
}

/** Runs any program in the same bare environment. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const child = start(program, args, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command that ends without reading its input closes the pipe.
  child.stdin?.on('error', () => undefined).end(options.input);
  const kill = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? 30_000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(kill);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

export interface RunningEmulator {
  readonly endpoint: string;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly process: ChildProcess;
  /** The request log so far. */
  readonly requests: readonly Readonly<Record<string, unknown>>[];
  /** Ends it as `kill` does and says how it ended. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Runs `emulator` of the built command until `stop`. */
export async function runEmulator(
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunningEmulator> {
  const child = start(runtime(options), [commandPath, 'emulator', ...args], options);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal });
    });
  });
  const requests: Record<string, unknown>[] = [];
  let stderr = '';
  if (child.stdout === null || child.stderr === null) throw new Error('the emulator has no output');
  createInterface(child.stderr).on('line', (line) => {
    stderr += `${line}\n`;
    if (line.startsWith('{')) requests.push(JSON.parse(line) as Record<string, unknown>);
  });
  const lines = createInterface(child.stdout);
  const first = await Promise.race([
    new Promise<string>((resolve) => lines.once('line', resolve)),
    ended.then(() => undefined),
  ]);
  if (first === undefined) throw new Error(`the emulator did not start: ${stderr}`);
  const ready = JSON.parse(first) as Pick<
    RunningEmulator,
    'endpoint' | 'trustAnchorArn' | 'profileArn' | 'roleArn'
  >;
  return {
    ...ready,
    process: child,
    requests,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

function runtime(options: RunOptions): string {
  return options.node ?? process.env['ROLESANYWHERE_TEST_NODE'] ?? process.execPath;
}

function start(program: string, args: readonly string[], options: RunOptions): ChildProcess {
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])];
  return spawn(program, args, {
    cwd: options.cwd ?? path.dirname(path.dirname(commandPath)),
    env: { PATH: process.env['PATH'], ...options.env },
    stdio,
  });
}
