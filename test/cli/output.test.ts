import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { run, runProgram } from '../support/command.ts';
import { commandWords, shellCommand } from '../support/emulator-process.ts';
import { requirePart } from '../support/system-parts.ts';

/** Runs a line of bash. */
async function shell(script: string) {
  return runProgram(requirePart('bash'), ['--norc', '-c', script]);
}

describe('standard output', () => {
  it('that is full is an error with exit code 6', async () => {
    const { code, stderr } = await shell(`${shellCommand} completion bash >/dev/full`);
    expect(code).toBe(6);
    expect(stderr).toMatch(/^rolesanywhere: error: [^\n]*ENOSPC\n$/);
  });

  it('that nobody reads any more ends without words', async () => {
    const script = `set -o pipefail; ( sleep 0.5; exec ${shellCommand} completion zsh ) | true`;
    expect(await shell(script)).toMatchObject({ code: 6, stdout: '', stderr: '' });
  });

  it('that is closed from the start breaks nothing', async () => {
    expect(await shell(`${shellCommand} version >&-`)).toMatchObject({ stderr: '' });
    expect(await shell(`${shellCommand} nonsense 2>&-`)).toMatchObject({ code: 2, stdout: '' });
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
    const command = [...commandWords(), 'completion', 'zsh'];
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
    const [program, ...first] = commandWords();
    const child = spawn(program, [...first, ...words], { env: {}, stdio: 'pipe' });
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
