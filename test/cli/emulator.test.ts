import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import { commandFile } from '../support/emulator-process.ts';

type Child = ChildProcessByStdio<null, Readable, Readable>;

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere emulator-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function start(
  ...args: string[]
): Promise<{ child: Child; ready: Record<string, string>; log: string[] }> {
  const child = spawn(process.execPath, [commandFile, 'emulator', ...args], {
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: string[] = [];
  createInterface(child.stderr).on('line', (line) => log.push(line));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, ready: JSON.parse(line) as Record<string, string>, log };
}

async function stop(child: Child, signal: NodeJS.Signals): Promise<unknown> {
  const closed = once(child, 'close');
  child.kill(signal);
  return closed;
}

describe('emulator', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'prints where it is, logs each request, and ends well on %s',
    async (signal) => {
      const { child, ready, log } = await start('--pki', folder);
      expect(Object.keys(ready)).toEqual(['endpoint', 'trustAnchorArn', 'profileArn', 'roleArn']);
      expect(ready['endpoint']).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(await readdir(folder)).toEqual(['ca.pem', 'leaf.key', 'leaf.pem']);

      const response = await fetch(`${ready['endpoint'] ?? ''}/sessions?x=%1b[31m`, {
        method: 'POST',
        body: '{}',
      });
      expect(response.ok).toBe(false);
      await response.arrayBuffer();
      expect(await stop(child, signal)).toEqual([0, null]);
      expect(log.map((line) => JSON.parse(line) as unknown)).toEqual([
        expect.objectContaining({ ok: false, why: expect.any(String) as string }),
      ]);
    },
  );

  it('ends while a client keeps its connection open', async () => {
    const { child, ready } = await start();
    await (await fetch(ready['endpoint'] ?? '', { headers: { connection: 'keep-alive' } })).arrayBuffer();
    const begin = Date.now();
    expect(await stop(child, 'SIGTERM')).toEqual([0, null]);
    expect(Date.now() - begin).toBeLessThan(5000);
  });

  it('says when its port is taken: exit code 6', async () => {
    const { child, ready } = await start();
    const port = new URL(ready['endpoint'] ?? '').port;
    const { code, stdout, stderr } = await run(['emulator', '--port', port]);
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
    expect(stderr).toContain(port);
    await stop(child, 'SIGTERM');
  });

  it.each([
    [['--port', '65536']],
    [['--port', '-1']],
    [['--port', 'http']],
    [['--session-ttl', '0']],
    [['--session-ttl', '1h']],
    [['--fault', 'nonsense']],
    [['--fault', 'throttle:x']],
    [['--tls-certificate', 'x']],
    [['--tls-key', 'x']],
  ])('refuses %j: exit code 2', async (args) => {
    const { code, stdout, stderr } = await run(['emulator', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: /);
  });

  it('refuses a trust anchor that is not there, without a stack', async () => {
    const { code, stdout, stderr } = await run([
      'emulator',
      '--trust-anchor',
      path.join(folder, 'missing.pem'),
    ]);
    expect(stdout).toBe('');
    expect(code).toBeGreaterThan(2);
    expect(stderr).toContain('missing.pem');
    expect(stderr).not.toContain('    at ');
  });
});
