import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { requirePart } from './system-parts.ts';

/** A fresh software TPM, and the tools that make keys in it. */
export interface Swtpm extends AsyncDisposable {
  /** Where the tools run and write files. */
  readonly directory: string;
  /** The unix socket, for TPM_DEVICE. */
  readonly socket: string;
  /** Runs `tpm2_TOOL`; what it leaves loaded is flushed. */
  tpm2(tool: string, ...words: string[]): Promise<string>;
  /** Runs OpenSSL, whose TPM provider (`-provider tpm2`) finds this TPM. */
  openssl(...words: string[]): Promise<string>;
  /** Runs a script of the shell, which finds this TPM in every tool. */
  shell(script: string): Promise<string>;
  /** Transient objects and sessions that are loaded now. */
  leftovers(): Promise<string[]>;
  /** Makes a key below a new storage key and persistent: the words of `tpm2_create`. */
  persist(handle: string, ...words: string[]): Promise<void>;
}

export const startSwtpm = async (): Promise<Swtpm> => {
  const program = requirePart('swtpm');
  const tools = dirname(requirePart('tpm2Tools'));
  const openssl = requirePart('tpm2Openssl');
  requirePart('tpm2Tcti');
  const directory = await mkdtemp(join(tmpdir(), 'swtpm-'));
  const socket = join(directory, 'socket');
  const child = spawn(
    program,
    [
      ...['socket', '--tpm2', '--tpmstate', `dir=${directory}`, '--flags', 'not-need-init,startup-clear'],
      // The tools expect the control channel under this name.
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close');

  const tcti = `swtpm:path=${socket}`;
  const run = async (path: string, words: readonly string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(path, words, {
      cwd: directory,
      env: { PATH: process.env['PATH'], TPM2TOOLS_TCTI: tcti, TPM2OPENSSL_TCTI: tcti, TSS2_LOG: 'all+NONE' },
    });
    return stdout;
  };
  const bare = (tool: string, ...words: string[]): Promise<string> => run(join(tools, `tpm2_${tool}`), words);
  const tpm2 = async (tool: string, ...words: string[]): Promise<string> => {
    const stdout = await bare(tool, ...words);
    await bare('flushcontext', '--transient-object');
    await bare('flushcontext', '--loaded-session');
    return stdout;
  };

  while (!existsSync(`${socket}.ctrl`)) {
    if (child.exitCode !== null) throw new Error(`swtpm did not start: ${output}`);
    await sleep(10);
  }
  return {
    directory,
    socket,
    tpm2,
    openssl: (...words) => run(openssl, words),
    shell: (script) => run(requirePart('bash'), ['--norc', '-e', '-c', script]),
    leftovers: async () => {
      const lists: string[] = [];
      for (const kind of ['transient', 'loaded-session', 'saved-session']) {
        lists.push(...(await bare('getcap', `handles-${kind}`)).split('\n'));
      }
      return lists.filter((line) => line !== '');
    },
    persist: async (handle, ...words) => {
      await tpm2('createprimary', '-Q', '-C', 'o', '-G', 'ecc', '-c', 'primary.ctx');
      await tpm2('create', '-Q', '-C', 'primary.ctx', '-u', 'key.pub', '-r', 'key.priv', ...words);
      await tpm2('load', '-Q', '-C', 'primary.ctx', '-u', 'key.pub', '-r', 'key.priv', '-c', 'key.ctx');
      await tpm2('evictcontrol', '-Q', '-C', 'o', '-c', 'key.ctx', handle);
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
      await rm(directory, { recursive: true });
    },
  };
};
