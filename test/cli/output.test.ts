import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { run, runProgram } from '../support/command.ts';
import { commandFile } from '../support/emulator-process.ts';
import { requirePart } from '../support/system-parts.ts';

/** Runs a line of bash in which `$NODE $COMMAND` is the built command. */
async function shell(script: string) {
  const env = { NODE: process.execPath, COMMAND: commandFile };
  return runProgram(requirePart('bash'), ['--norc', '-c', script], { env });
}

describe('standard output', () => {
  it('that is full is an error with exit code 6', async () => {
    const { code, stderr } = await shell('"$NODE" "$COMMAND" completion bash >/dev/full');
    expect(code).toBe(6);
    expect(stderr).toMatch(/^rolesanywhere: error: [^\n]*ENOSPC\n$/);
  });

  it('that nobody reads any more ends without words', async () => {
    const script = 'set -o pipefail; ( sleep 0.5; exec "$NODE" "$COMMAND" completion zsh ) | true';
    expect(await shell(script)).toMatchObject({ code: 6, stdout: '', stderr: '' });
  });

  it('that is closed from the start breaks nothing', async () => {
    expect(await shell('"$NODE" "$COMMAND" version >&-')).toMatchObject({ stderr: '' });
    expect(await shell('"$NODE" "$COMMAND" nonsense 2>&-')).toMatchObject({ code: 2, stdout: '' });
  });

  it('that is non-blocking and read slowly gets every byte', async () => {
    // The child makes its own pipe non-blocking and fills it, so that the command's first write meets EAGAIN.
    const script = `
import fcntl, os, subprocess, sys, time
read, write = os.pipe()
fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
fcntl.fcntl(write, fcntl.F_SETFL, fcntl.fcntl(write, fcntl.F_GETFL) | os.O_NONBLOCK)
os.write(write, b"x" * 4096)
child = subprocess.Popen(sys.argv[1:], stdout=write)
os.close(write)
time.sleep(1)
data = b""
while True:
    piece = os.read(read, 1000)
    if not piece: break
    data += piece
    time.sleep(0.01)
sys.stdout.buffer.write(data[4096:])
sys.exit(child.wait())
`;
    const command = [process.execPath, commandFile, 'completion', 'zsh'];
    const { code, stdout, stderr } = await runProgram(requirePart('boto3'), ['-c', script, ...command]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.length).toBeGreaterThan(3000);
    expect(stdout).toBe((await run(['completion', 'zsh'])).stdout);
  });
});

describe('an interrupt', () => {
  it('ends a command that waits, without words, as the signal does', async () => {
    // It waits for the key on a terminal-like standard input that stays open.
    const words = ['credential-process', '--certificate', '-', '--private-key', '-'];
    const id = '00000000-0000-4000-8000-000000000001';
    for (const [name, type] of [
      ['trust-anchor', 'trust-anchor'],
      ['profile', 'profile'],
    ] as const) {
      words.push(`--${name}-arn`, `arn:aws:rolesanywhere:us-east-1:123456789012:${type}/${id}`);
    }
    words.push('--role-arn', 'arn:aws:iam::123456789012:role/test');
    const child = spawn(process.execPath, [commandFile, ...words], { env: {}, stdio: 'pipe' });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(child.exitCode).toBeNull();
    child.kill('SIGINT');
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect({ code, signal, output }).toEqual({ code: null, signal: 'SIGINT', output: '' });
  });
});

describe('a defect', () => {
  // A preloaded module breaks what the command relies on.
  const broken = (what: string) => ({
    NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(what)}"`,
  });
  const text = `Object.fromEntries = () => { throw new TypeError('CANARY\\n  at CANARY'.toLowerCase()) };`;
  const line = ['credential-process', '--trust-anchor-arn=T', '--profile-arn=P', '--role-arn=R'];

  it('is exit code 1, without a stack', async () => {
    const { code, stdout, stderr } = await run(line, { env: broken(text) });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .*TypeError.*\nrolesanywhere: hint: .*\n$/);
    expect(stderr).not.toContain('canary');
  });

  it('shows with --debug where it came from, but not what it says', async () => {
    const { code, stderr } = await run([...line, '--debug'], { env: broken(text) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^rolesanywhere: debug: +at /m);
    expect(stderr).not.toContain('canary');
  });

  it('that waits for what never comes is told the same way', async () => {
    const deaf = `import fs from 'node:fs'; fs.read = () => undefined;`;
    const words = ['read-certificate-data', '--certificate', '-'];
    const { code, stdout, stderr } = await run(words, { env: broken(deaf) });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: .*\nrolesanywhere: hint: .*\n$/);
  });

  it('in the background is told the same way', async () => {
    const later = `setTimeout(() => { Promise.reject(new RangeError('CANARY'.toLowerCase())) }, 300);`;
    const { code, stdout, stderr } = await run(['emulator'], { env: broken(later) });
    expect(code).toBe(1);
    expect(stdout).not.toContain('canary');
    expect(stderr).toMatch(/^rolesanywhere: error: .*RangeError.*\nrolesanywhere: hint: .*\n$/);
  });
});
