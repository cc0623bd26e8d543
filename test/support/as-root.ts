import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs a program to its end as root: it is, or `sudo` asks for no password. */
export const asRoot = (
  words: readonly string[],
): Promise<{ readonly stdout: string; readonly stderr: string }> => {
  const [program = '', ...rest] = [...(process.getuid?.() === 0 ? [] : ['sudo', '-n']), ...words];
  const env = { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  return promisify(execFile)(program, rest, { env });
};
