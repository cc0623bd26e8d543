import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { commandWords } from './emulator-process.ts';

export interface ServeProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** `http://127.0.0.1:PORT`, or what it says in its place. */
  readonly name: string;
  /** What the shell would `eval`. */
  readonly exports: Readonly<Record<string, string>>;
  /** What it logged so far. */
  log(): string;
  /** Waits until the log holds a text behind the given place. */
  logged(text: string, from?: number): Promise<void>;
  /** Sends a signal and waits for the end: code and signal. */
  end(signal?: NodeJS.Signals): Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
}

/**
 * Starts the built command's `serve` with these words and waits until it listens.
 *
 * @param launcher what starts the command; nothing, by default
 * @param command the command in its place
 */
export const startServe = async (
  words: readonly string[],
  {
    env = {},
    launcher = [],
    command = commandWords(),
  }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly launcher?: readonly string[];
    readonly command?: readonly string[];
  } = {},
): Promise<ServeProcess> => {
  const [program = '', ...rest] = [...launcher, ...command];
  const child = spawn(program, [...rest, 'serve', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  let printed = '';
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const lines = createInterface(child.stderr).on('line', (line) => (log += `${line}\n`));
  const logged = async (text: string, from = 0): Promise<void> => {
    while (!log.slice(from).includes(text)) {
      const gone = await Promise.race([once(lines, 'line').then(() => false), ended.then(() => true)]);
      if (gone && !log.slice(from).includes(text)) throw new Error(`it ended without "${text}": ${log}`);
    }
  };
  await logged('listening on ');
  // The log comes first, and the exports at once behind it.
  while (printed === '' && log.includes('listening on http:')) await once(child.stdout, 'data');
  return {
    child,
    name: /listening on ([^\n"]+)/.exec(log)?.[1] ?? '',
    exports: Object.fromEntries(
      [...printed.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
    ),
    log: () => log,
    logged,
    end: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
};

const credentialsPath = '/latest/meta-data/iam/security-credentials/';

/** What IMDS hands out, asked as an SDK asks. */
export const askImds = async (url: string): Promise<Record<string, string>> => {
  const put = await fetch(`${url}/latest/api/token`, {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
  });
  const headers = { 'x-aws-ec2-metadata-token': await put.text() };
  const role = await (await fetch(url + credentialsPath, { headers })).text();
  const answer = await fetch(url + credentialsPath + role, { headers });
  if (!answer.ok) throw new Error(`IMDS answers ${answer.status}`);
  return (await answer.json()) as Record<string, string>;
};
