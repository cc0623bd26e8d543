import { spawn } from 'node:child_process';

/**
 * Runs a command on a terminal of its own, and types once a prompt stands there; what the terminal showed comes back.
 *
 * @param command words without a quotation mark in them
 * @param options.stdout the file that its output goes to, in place of the terminal
 * @param prompt what the terminal shows when it is time to type
 */
export async function typeAtPrompt(
  command: readonly string[],
  prompt: string,
  text: string,
  { env = {}, stdout }: { readonly env?: Readonly<Record<string, string>>; readonly stdout?: string } = {},
): Promise<{ code: number | null; screen: string }> {
  const line = command.map((word) => `'${word}'`).join(' ');
  const target = stdout === undefined ? '' : ` > '${stdout}'`;
  const child = spawn('script', ['-qec', line + target, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], SHELL: '/bin/sh', ...env },
  });
  let screen = '';
  let typed = false;
  child.stdout.setEncoding('utf8').on('data', (output: string) => {
    screen += output;
    if (typed || !screen.includes(prompt)) return;
    typed = true;
    child.stdin.write(text);
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, screen };
}
