import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { requirePart } from '../support/system-parts.ts';

/** Processes that carry the text in their command line. */
const processesAbout = async (text: string): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commandLines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return commandLines.filter((commandLine) => commandLine.includes(text));
};

describe('npm run demo', () => {
  let temporary: string;

  // Everything that a user's environment may hold against it.
  const start = (): ChildProcessByStdio<null, Readable, Readable> =>
    spawn(process.execPath, ['scripts/demo.mjs'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${dirname(requirePart('aws'))}:${dirname(requirePart('postgres'))}:${process.env['PATH'] ?? ''}`,
        HOME: temporary,
        TMPDIR: temporary,
        AWS_PROFILE: 'no-such-profile',
        AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'wrong',
        AWS_REGION: 'eu-north-1',
        AWS_CA_BUNDLE: '/nonexistent',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
        AWS_ENDPOINT_URL_ROLESANYWHERE: 'http://127.0.0.1:1',
        AWS_USE_FIPS_ENDPOINT: 'true',
        PGHOST: '127.0.0.1',
        PGUSER: 'nobody',
        PGSSLMODE: 'disable',
        HTTPS_PROXY: 'http://127.0.0.1:1',
        http_proxy: 'http://127.0.0.1:1',
      },
    });

  const end = async (
    demo: ChildProcessByStdio<null, Readable, Readable>,
  ): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const [stdout, stderr, [code]] = await Promise.all([
      demo.stdout.setEncoding('utf8').toArray(),
      demo.stderr.setEncoding('utf8').toArray(),
      once(demo, 'close') as Promise<[number | null]>,
    ]);
    return { code, stdout: stdout.join(''), stderr: stderr.join('') };
  };

  beforeEach(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'demo-test-'));
    await chmod(temporary, 0o711); // as /tmp lets everybody pass
  });

  afterEach(async () => {
    await rm(temporary, { recursive: true, force: true });
  });

  it('shows the caller by both clients and the user in a database, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await end(start());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const arn = /arn:aws:sts::123456789012:assumed-role\/emulator\/[0-9a-f]{40}/;
    expect(stdout).toMatch(new RegExp(`^SDK for JS .*${arn.source}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^AWS CLI .*${arn.source}$`, 'm'));
    expect(stdout).toMatch(/^psql .*current_user: IAMA:analyst$/m);
    expect(stdout).toMatch(new RegExp(`^done .*${arn.source}$`, 'm'));
    expect(await readdir(temporary)).toEqual([]);
    expect(await processesAbout(temporary)).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends early and cleans up at %s', async (signal) => {
    const demo = start();
    const ended = end(demo);
    await once(demo.stdout, 'data');
    demo.kill(signal);
    const { code } = await ended;
    expect(code).toBe(1);
    expect(await readdir(temporary)).toEqual([]);
    expect(await processesAbout(temporary)).toEqual([]);
  });
});
