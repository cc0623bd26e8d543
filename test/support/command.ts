import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { commandWords } from './emulator-process.ts';

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
  /** The file to start it as, in place of the built command's own: a link to it. */
  readonly as?: string;
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command, as a shell would, to its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program, ...words] = commandWords(options.as, options.node);
  return runProgram(program, [...words, ...args], options);
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

function start(program: string, args: readonly string[], options: RunOptions): ChildProcess {
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])];
  return spawn(program, args, {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
    stdio,
  });
}
