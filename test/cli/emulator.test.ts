import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, runProgram } from '../support/command.ts';
import type { Outcome } from '../support/command.ts';
import { commandWords, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { requirePart } from '../support/system-parts.ts';

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
  const [program, ...words] = commandWords();
  const child = spawn(program, [...words, 'emulator', ...args], {
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

  it('says that its database is not there: exit code 7', async () => {
    const url = 'postgresql://admin:hidden@127.0.0.1:1/dev';
    const { code, stdout, stderr } = await run(['emulator', '--postgres-url', url]);
    expect({ code, stdout }).toEqual({ code: 7, stdout: '' });
    expect(stderr).toContain('127.0.0.1 port 1');
    expect(stderr).not.toContain('hidden');
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
    [['--postgres-url', 'localhost']],
  ])('refuses %j: exit code 2', async (args) => {
    const { code, stdout, stderr } = await run(['emulator', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^rolesanywhere: error: /);
  });

  it.each([
    ['ECDSA, in PEM', 'P-256', 'pem', []],
    ['ECDSA, in DER', 'P-384', 'der', []],
    ['RSA', 'rsa-2048', 'pem', []],
    ['RSA-PSS', 'rsa-2048', 'pem', ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32']],
  ] as const)(
    'refuses a certificate that a list of openssl ca names, and takes another: %s',
    async (name, keyType, form, options) => {
      const pki = path.join(folder, name);
      await mkdir(pki);
      const file = (name: string): string => path.join(pki, name);
      const authority = makeAuthority({ keyType });
      const [revoked, good] = [issue(authority), issue(authority)];
      await writeFile(file('ca.pem'), authority.certificatePem);
      await writeFile(file('ca.key'), authority.privateKeyPem);
      await writeFile(file('revoked.pem'), revoked.certificatePem + revoked.privateKeyPem);
      await writeFile(file('good.pem'), good.certificatePem + good.privateKeyPem);
      await writeFile(
        file('ca.cnf'),
        '[ca]\ndefault_ca = emulator\n[emulator]\ndatabase = index.txt\ncrlnumber = crlnumber\n' +
          'default_md = sha256\ndefault_crl_days = 7\n',
      );
      await writeFile(file('index.txt'), '');
      await writeFile(file('crlnumber'), '01\n');
      const openssl = async (...words: readonly string[]): Promise<void> => {
        const { code, stderr } = await runProgram(requirePart('openssl'), words, { cwd: pki });
        expect(code, stderr).toBe(0);
      };
      const ca = ['ca', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'];
      await openssl(...ca, '-revoke', 'revoked.pem', '-crl_reason', 'keyCompromise');
      await openssl(...ca, '-gencrl', '-out', 'crl.pem', ...options);
      await openssl('crl', '-in', 'crl.pem', '-outform', form, '-out', `crl.${form}`);

      const emulator = await startEmulatorProcess([
        ...['--trust-anchor', file('ca.pem'), '--crl', file(`crl.${form}`)],
      ]);
      try {
        const session = (leaf: string): Promise<Outcome> =>
          run(sessionWords(emulator, { certificate: file(leaf), key: file(leaf) }));
        expect(await session('good.pem')).toMatchObject({ code: 0 });
        const { code, stdout, stderr } = await session('revoked.pem');
        expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
        expect(stderr).toContain('Certificate revoked');
      } finally {
        await emulator.close();
      }
    },
  );

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
