import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EmulatorOptions } from '../../src/emulator/emulator.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { send, sendBytes } from './support/exchange.ts';
import { basicConstraints, issue, issueAuthority, keyUsage, noon, pem, rsaKey } from './support/pki.ts';
import type { Issued } from './support/pki.ts';
import { TestService } from './support/service.ts';
import { signedRequest } from './support/x509-signer.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'emulator-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});
const file = async (name: string, text: string | Buffer): Promise<string> => {
  await writeFile(join(directory, name), text);
  return join(directory, name);
};
const now = (): Date => noon;
const startAndStop = async (options: EmulatorOptions): Promise<void> => {
  const emulator = await startEmulator(options);
  await emulator.close();
};
const refusal = (options: EmulatorOptions): Promise<unknown> =>
  startAndStop(options).then(
    () => 'started',
    (error: unknown) => error,
  );

describe('options', () => {
  test.each<[string, EmulatorOptions, string]>([
    ['a fault that is none', { faults: ['thunder:1'] }, 'INVALID_ARGUMENT'],
    ['a port too high', { port: 65_536 }, 'INVALID_ARGUMENT'],
    ['a port that is no number', { port: Number.NaN }, 'INVALID_ARGUMENT'],
    ['sessions that last no time', { sessionTtlSeconds: 0 }, 'INVALID_ARGUMENT'],
    ['sessions that last too long', { sessionTtlSeconds: 43_201 }, 'INVALID_ARGUMENT'],
    ['a certificate without its key', { tlsCertificate: 'x' }, 'INVALID_ARGUMENT'],
    ['a key without its certificate', { tlsKey: 'x' }, 'INVALID_ARGUMENT'],
    ['both kinds of authority', { trustAnchors: ['x'], pkiDirectory: 'y' }, 'INVALID_ARGUMENT'],
    ['a trust anchor that is not there', { trustAnchors: ['/nonexistent/x.pem'] }, 'FILE_UNREADABLE'],
    ['a trust anchor without a name', { trustAnchors: [''] }, 'INVALID_ARGUMENT'],
    ['a revocation list of a throw-away authority', { crls: ['x'] }, 'INVALID_ARGUMENT'],
    ['a directory for a trust anchor', { trustAnchors: [tmpdir()] }, 'FILE_UNREADABLE'],
    ['a directory without a parent', { pkiDirectory: '/nonexistent/a/b' }, 'FILE_UNWRITABLE'],
    ['a directory under /proc', { pkiDirectory: '/proc/a' }, 'FILE_UNWRITABLE'],
    ['an address of another machine', { bind: '192.0.2.1' }, 'PORT_UNAVAILABLE'],
    ['an address that is none', { bind: '999.0.0.1' }, 'PORT_UNAVAILABLE'],
  ])('refuse %s', async (_, options, code) => {
    expect(await refusal(options)).toMatchObject({ name: 'RolesAnywhereError', code });
  });

  test.each<[string, EmulatorOptions, string]>([
    ['a trust anchor that is not there', { trustAnchors: ['/nonexistent/x.pem'] }, 'no such file'],
    [
      'a TLS certificate that is not there',
      { tlsCertificate: '/nonexistent/x.pem', tlsKey: 'x' },
      'no such file',
    ],
    ['a directory without a parent', { pkiDirectory: '/nonexistent/a/b' }, 'no such file'],
    ['an address of another machine', { bind: '192.0.2.1' }, 'of this machine'],
    ['an address that is none', { bind: '999.0.0.1' }, 'no such address'],
  ])('say in words what is wrong with %s', async (_, options, words) => {
    const error = (await refusal(options)) as Error;
    expect(error.message).toContain(words);
    expect(error.message).not.toMatch(/\bE[A-Z]{4,}\b/);
  });

  test.each<[EmulatorOptions, string]>([
    [{ pkiDirectory: '/nonexistent/a/b' }, 'first'],
    [{ bind: '192.0.2.1' }, '127.0.0.1'],
    [{ bind: '999.0.0.1' }, '127.0.0.1'],
  ])('and how to cure %j', async (options, word) => {
    expect(await refusal(options)).toMatchObject({ hint: expect.stringContaining(word) as string });
  });

  test('refuse a port that is taken', async () => {
    await using first = await startEmulator();
    expect(await refusal({ port: Number(new URL(first.endpoint).port) })).toMatchObject({
      code: 'PORT_UNAVAILABLE',
      hint: expect.any(String) as string,
    });
  });

  test.each<[string, string | Issued, string]>([
    ['is empty', '', 'CERTIFICATE_INVALID'],
    [
      'holds another PEM type',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      'CERTIFICATE_INVALID',
    ],
    ['holds no DER', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'CERTIFICATE_INVALID'],
    ['is a leaf', issue(), 'CERTIFICATE_UNSUITABLE'],
    ['may not sign certificates', issue({ extensions: [basicConstraints(true)] }), 'CERTIFICATE_UNSUITABLE'],
    ['says nothing of CA', issue({ extensions: [keyUsage('keyCertSign')] }), 'CERTIFICATE_UNSUITABLE'],
    ['is signed with SHA-1', issueAuthority('Weak', { hash: 'sha1' }), 'CERTIFICATE_UNSUITABLE'],
    ['is of version 1', issueAuthority('Old', { version: 1 }), 'CERTIFICATE_UNSUITABLE'],
    ['has an RSA key too short', issueAuthority('Short', { keys: rsaKey(1024) }), 'CERTIFICATE_UNSUITABLE'],
  ])('refuse a trust anchor that %s', async (_, content, code) => {
    const path = await file('anchor.pem', typeof content === 'string' ? content : pem(content));
    expect(await refusal({ trustAnchors: [path] })).toMatchObject({ code });
  });

  test('take trust anchors from several files, with text around and Windows line ends', async () => {
    const [one, two, three] = [issueAuthority('One'), issueAuthority('Two'), issueAuthority('Three')];
    const first = await file(
      '1.pem',
      `\u{FEFF}# ours\r\n${pem(one)}text\n${pem(two)}`.replaceAll('\n', '\r\n'),
    );
    const second = await file('2.pem', pem(three));
    await using service = await TestService.start([], { trustAnchors: [first, second] });
    for (const by of [one, two, three]) {
      expect((await service.createSession({ leaf: issue({ by }) })).status).toBe(201);
    }
  });

  test.each([
    [60, 60],
    [7200, 3600],
  ])('cap sessions at %i s (%i s then)', async (sessionTtlSeconds, seconds) => {
    const authority = issueAuthority('Root');
    await using service = await TestService.start([authority], { sessionTtlSeconds });
    const { body } = await service.createSession({ leaf: issue({ by: authority }) });
    const expiration = /"expiration":"([^"]*)"/.exec(body)?.[1] ?? '';
    expect(Date.parse(expiration) - noon.getTime()).toBe(seconds * 1000);
  });

  test.each([
    ['::1', /^http:\/\/\[::1\]:\d+$/],
    ['::', /^http:\/\/\[::1\]:\d+$/],
    ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+$/],
  ])('bind to %s', async (bind, endpoint) => {
    await using emulator = await startEmulator({ bind });
    expect(emulator.endpoint).toMatch(endpoint);
    const { status } = await fetch(emulator.endpoint);
    expect(status).toBe(404);
  });

  test('take the port that is asked for, and give it back', async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    for (let round = 0; round < 2; round++) {
      await using emulator = await startEmulator({ port });
      expect(emulator.endpoint).toBe(`http://127.0.0.1:${port}`);
    }
  });
});

test('ARNs are the same in every run', async () => {
  await using one = await startEmulator();
  await using two = await startEmulator();
  const arns = ({ trustAnchorArn, profileArn, roleArn }: typeof one): string[] => [
    trustAnchorArn,
    profileArn,
    roleArn,
  ];
  expect(arns(one)).toEqual(arns(two));
  expect(one.trustAnchorArn).toMatch(
    /^arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor\/[0-9a-f-]{36}$/,
  );
});

test('closing ends open connections, at once, and may be done twice', async () => {
  const emulator = await startEmulator();
  const open = sendBytes(
    emulator.endpoint,
    'POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n',
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  const start = performance.now();
  await Promise.all([emulator.close(), emulator.close()]);
  expect(performance.now() - start).toBeLessThan(500);
  expect(await open).toBe('');
});

test('the program is left as it was', async () => {
  await startAndStop({});
  expect('getMetadata' in Reflect).toBe(false);
});

describe('the throw-away authority', () => {
  const pki = (): string => join(directory, 'pki');
  const read = async (): Promise<readonly [ca: string, leaf: string, key: string]> => [
    await readFile(join(pki(), 'ca.pem'), 'utf8'),
    await readFile(join(pki(), 'leaf.pem'), 'utf8'),
    await readFile(join(pki(), 'leaf.key'), 'utf8'),
  ];
  const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

  test('writes files with which a request is taken', async () => {
    await using emulator = await startEmulator({ pkiDirectory: pki(), now });
    const [, leafPem, keyPem] = await read();
    const certificate = new X509Certificate(leafPem);
    const privateKey = createPrivateKey(keyPem);
    const leaf: Issued = {
      der: certificate.raw,
      subject: [],
      serial: BigInt(`0x${certificate.serialNumber}`),
      keys: { publicKey: certificate.publicKey, privateKey },
    };
    expect(certificate.checkPrivateKey(privateKey)).toBe(true);
    expect(certificate.serialNumber).toHaveLength(40);
    const { profileArn, roleArn, trustAnchorArn } = emulator;
    const body = JSON.stringify({ profileArn, roleArn, trustAnchorArn });
    const { status } = await send(
      emulator.endpoint,
      signedRequest({ host: new URL(emulator.endpoint).host, leaf, body }),
    );
    expect(status).toBe(201);
  });

  test('satisfies OpenSSL at its strictest', async () => {
    await startAndStop({ pkiDirectory: pki() });
    const paths = [join(pki(), 'ca.pem'), join(pki(), 'leaf.pem')];
    const output = execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', ...paths], {
      encoding: 'utf8',
    });
    expect(output).toContain('OK');
  });

  test('keeps the key to its owner', async () => {
    await startAndStop({ pkiDirectory: pki() });
    expect([await mode(pki()), await mode(join(pki(), 'leaf.key'))]).toEqual(['700', '600']);
  });

  test('is used again by the next emulator, and replaced when its time is nearly up', async () => {
    const start = (time: Date): Promise<void> => startAndStop({ pkiDirectory: pki(), now: () => time });
    await start(noon);
    const first = await read();
    await start(new Date(noon.getTime() + 5 * 86_400_000));
    expect(await read()).toEqual(first);
    await start(new Date(noon.getTime() + 6.5 * 86_400_000));
    const second = await read();
    expect(second).not.toEqual(first);
    await start(noon); // before the second one's time
    expect(await read()).not.toEqual(second);
  });

  test.each(['ca.pem', 'leaf.pem', 'leaf.key'])('leaves a %s that it did not make alone', async (name) => {
    const path = await file(name, 'precious');
    expect(await refusal({ pkiDirectory: directory })).toMatchObject({
      code: 'FILE_UNWRITABLE',
      hint: expect.any(String) as string,
    });
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  test('leaves a pair alone that another authority issued', async () => {
    const authority = issueAuthority('Precious');
    const leaf = issue({ by: authority });
    await file('ca.pem', pem(authority));
    await file('leaf.pem', pem(leaf));
    await file('leaf.key', leaf.keys.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    expect(await refusal({ pkiDirectory: directory, now })).toMatchObject({ code: 'FILE_UNWRITABLE' });
  });

  test('leaves a key alone that is not the one it made', async () => {
    await startAndStop({ pkiDirectory: pki(), now });
    await writeFile(
      join(pki(), 'leaf.key'),
      issue().keys.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    );
    expect(await refusal({ pkiDirectory: pki(), now })).toMatchObject({ code: 'FILE_UNWRITABLE' });
  });

  test('does not write through a link', async () => {
    await symlink(join(directory, 'elsewhere'), join(directory, 'leaf.key'));
    expect(await refusal({ pkiDirectory: directory })).toMatchObject({ code: 'FILE_UNWRITABLE' });
    await expect(stat(join(directory, 'elsewhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('TLS', () => {
  const materials = async (): Promise<{ tlsCertificate: string; tlsKey: string }> => {
    const server = issueAuthority('localhost');
    return {
      tlsCertificate: await file('tls.pem', pem(server)),
      tlsKey: await file('tls.key', server.keys.privateKey.export({ format: 'pem', type: 'pkcs8' })),
    };
  };
  const ask = (endpoint: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request(endpoint, { rejectUnauthorized: false, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  test('serves by the files given, and survives plain text', async () => {
    await using emulator = await startEmulator(await materials());
    expect(emulator.endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await ask(emulator.endpoint)).toBe(404);
    const plain = await sendBytes(emulator.endpoint, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').catch(() => '');
    expect(plain).not.toContain('HTTP/1.1');
    expect(await ask(emulator.endpoint)).toBe(404);
  });

  test('breaks connections off for the reset fault', async () => {
    await using emulator = await startEmulator({ ...(await materials()), faults: ['reset:1'] });
    await expect(ask(emulator.endpoint)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await ask(emulator.endpoint)).toBe(404);
  });

  test('refuses files that do not fit', async () => {
    const { tlsCertificate, tlsKey } = await materials();
    const other = await file('other.pem', pem(issueAuthority('other')));
    expect(await refusal({ tlsCertificate: other, tlsKey })).toMatchObject({ code: 'CERTIFICATE_INVALID' });
    expect(await refusal({ tlsCertificate, tlsKey: tlsCertificate })).toMatchObject({
      code: 'CERTIFICATE_INVALID',
    });
    expect(await refusal({ tlsCertificate, tlsKey: '/nonexistent' })).toMatchObject({
      code: 'FILE_UNREADABLE',
    });
  });
});
