import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import type { RunOptions } from '../support/command.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import type { CertificateOptions, Issued } from '../support/pki.ts';

const anchorArn =
  'arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/00000000-0000-4000-8000-000000000001';
const profileArn =
  'arn:aws:rolesanywhere:eu-central-1:111122223333:profile/00000000-0000-4000-8000-000000000002';
const roleArn = 'arn:aws:iam::111122223333:role/path/onprem';

let folder = '';
let authority: Issued;
const file = (name: string) => path.join(folder, name);
const open: TcpServer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-bad-'));
  authority = makeAuthority();
  await writePair('good', {});
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

afterEach(() => {
  for (const server of open.splice(0)) {
    if ('closeAllConnections' in server) (server as Server).closeAllConnections();
    server.close();
  }
});

async function writePair(name: string, options: CertificateOptions): Promise<string[]> {
  // There is no ECDSA with MD5.
  const issuer = options.hash === 'md5' ? makeAuthority({ keyType: 'rsa-2048' }) : authority;
  const issued = issue(issuer, options);
  await writeFile(file(`${name}.pem`), issued.certificatePem);
  await writeFile(file(`${name}.key`), issued.privateKeyPem, { mode: 0o600 });
  return pair(name);
}

const pair = (name: string) => ['--certificate', file(`${name}.pem`), '--private-key', file(`${name}.key`)];

async function listen(server: TcpServer): Promise<number> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

interface Service {
  readonly endpoint: string;
  readonly count: () => number;
}

async function service(answer: RequestListener): Promise<Service> {
  let count = 0;
  const server = createServer((request, response) => {
    count++;
    request.resume();
    answer(request, response);
  });
  return { endpoint: `http://127.0.0.1:${await listen(server)}`, count: () => count };
}

interface Failure {
  readonly code: number | null;
  readonly stderr: string;
}

/** Runs a session that must fail: nothing on stdout, no stack, and no more than warnings before the error. */
async function failure(words: readonly string[], options: RunOptions = {}): Promise<Failure> {
  const { code, signal, stdout, stderr } = await run(['credential-process', ...words], options);
  expect({ signal, stdout }).toEqual({ signal: null, stdout: '' });
  expect(stderr.match(/^rolesanywhere: error: /gm), stderr).toHaveLength(1);
  for (const line of stderr.trimEnd().split('\n')) {
    expect(line).toMatch(/^rolesanywhere: (error|hint|warning): [^ ].*[^.]$/);
  }
  expect(code).not.toBe(1);
  return { code, stderr };
}

const arns = ['--trust-anchor-arn', anchorArn, '--profile-arn', profileArn, '--role-arn', roleArn];

/** What must be refused before anything is sent. */
async function refusedHere(words: readonly string[], options: RunOptions = {}): Promise<Failure> {
  const { endpoint, count } = await service((_, response) => response.end());
  const outcome = await failure([...arns, '--endpoint', endpoint, ...words], options);
  expect(count()).toBe(0);
  return outcome;
}

describe('the command line', () => {
  it.each([
    ['--trust-anchor-arn', profileArn],
    ['--trust-anchor-arn', roleArn],
    ['--trust-anchor-arn', 'arn'],
    ['--trust-anchor-arn', anchorArn.replace('arn:', '')],
    ['--trust-anchor-arn', anchorArn.replace('eu-central-1', '')],
    ['--trust-anchor-arn', anchorArn.replace('111122223333', '11112222333')],
    ['--trust-anchor-arn', anchorArn.replace('arn:aws:', 'arn:amazon:')],
    ['--trust-anchor-arn', anchorArn.replace(/\/.*/, '/')],
    ['--trust-anchor-arn', `${anchorArn} `],
    ['--trust-anchor-arn', anchorArn.replace('eu-central-1', 'evil.example/')],
    ['--profile-arn', anchorArn],
    ['--profile-arn', profileArn.replace('eu-central-1', 'eu-west-1')],
    ['--profile-arn', profileArn.replace('arn:aws:', 'arn:aws-cn:')],
    ['--profile-arn', `\n${profileArn}`],
    ['--role-arn', profileArn],
    ['--role-arn', 'arn:aws:iam::111122223333:user/onprem'],
    ['--role-arn', 'arn:aws:sts::111122223333:assumed-role/onprem/x'],
    ['--role-arn', 'arn:aws:iam::111122223333:role/'],
    ['--role-arn', 'onprem'],
    ['--role-arn', '*'],
  ])('%s %j: exit code 2', async (name, arn) => {
    const { code, stderr } = await refusedHere([...pair('good'), name, arn]);
    expect(code).toBe(2);
    // Where two of them disagree, both are named without their dashes.
    expect(stderr).toMatch(new RegExp(`${name}|${name.slice(2, -4).replace('-', ' ')}`));
  });

  it.each(['0', '899', '43201', '12h', '-900', '900.5', '1e3', '0x383', '0900', 'PT1H'])(
    '--session-duration %s: exit code 2',
    async (duration) => {
      const { code, stderr } = await refusedHere([...pair('good'), '--session-duration', duration]);
      expect(code).toBe(2);
      expect(stderr).toContain(duration);
    },
  );

  it.each([
    ['--timeout', '0'],
    ['--timeout', '1m'],
    ['--region', 'eu-central-1/x'],
    ['--region', 'evil.example'],
    ['--region', 'EU CENTRAL'],
    ['--endpoint', 'not a URL'],
    ['--endpoint', 'ftp://127.0.0.1/'],
    ['--endpoint', 'file:///etc/passwd'],
    ['--role-session-name', 'x'],
    ['--role-session-name', 'a name'],
    ['--instance-property', 'name'],
    ['--instance-property', '=value'],
  ])('%s %s: exit code 2', async (...words) => {
    expect((await refusedHere([...pair('good'), ...words])).code).toBe(2);
  });

  it('a proxy that is insisted on and not there: exit code 2', async () => {
    const { code, stderr } = await refusedHere([...pair('good'), '--with-proxy']);
    expect(code).toBe(2);
    expect(stderr).toContain('--with-proxy');
  });

  it('no certificate at all: exit code 2, and says so', async () => {
    const { code, stderr } = await refusedHere([]);
    expect(code).toBe(2);
    expect(stderr).toContain('--certificate');
  });

  it('a region that is not the trust anchor’s warns', async () => {
    const { endpoint } = await service((_, response) => {
      response.writeHead(403, { 'x-amzn-ErrorType': 'AccessDeniedException' });
      response.end('{"message":"Credential should be scoped to a valid region"}');
    });
    const { code, stderr } = await failure([
      ...arns,
      ...pair('good'),
      '--endpoint',
      endpoint,
      '--region',
      'eu-west-1',
    ]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^rolesanywhere: warning: .*eu-west-1/);
  });
});

describe('files', () => {
  const contents: Readonly<Record<string, () => Promise<string | Uint8Array>>> = {
    'an empty file': () => Promise.resolve(''),
    'a file of blanks': () => Promise.resolve(' \n\n'),
    '10 MB of zeros': () => Promise.resolve(Buffer.alloc(10_000_000)),
    'text that is no PEM': () => Promise.resolve('hello\n'),
    'broken base64': async () => (await readFile(file('good.pem'), 'utf8')).replace(/\nM.{8}/, '\n!!!!'),
    'a PEM block cut short': async () => (await readFile(file('good.pem'), 'utf8')).slice(0, 200),
    'truncated DER': () => Promise.resolve(issue(authority).certificateDer.subarray(0, 100)),
    'DER with a tail': () =>
      Promise.resolve(Buffer.concat([issue(authority).certificateDer, Buffer.from('x')])),
    'another PEM type': () =>
      Promise.resolve('-----BEGIN CERTIFICATE REQUEST-----\nMIIBAA==\n-----END CERTIFICATE REQUEST-----\n'),
    'random bytes': () => Promise.resolve(Buffer.from('3082ffff30820010ff'.repeat(20), 'hex')),
  };

  describe.each(Object.entries(contents))('%s', (_, content) => {
    it.each(['--certificate', '--private-key', '--intermediates'])(
      'as %s: exit code 3, by its name',
      async (name) => {
        await writeFile(file('strange'), await content(), { mode: 0o600 });
        const { code, stderr } = await refusedHere([...pair('good'), name, file('strange')]);
        expect(code).toBe(3);
        expect(stderr).toContain(file('strange'));
      },
    );
  });

  it.each(['--certificate', '--private-key', '--intermediates'])(
    'missing, or a directory, as %s: exit code 3',
    async (name) => {
      await mkdir(file('directory'), { recursive: true });
      for (const strange of [file('missing'), file('directory'), `${file('good.pem')}/x`]) {
        const { code, stderr } = await refusedHere([...pair('good'), name, strange]);
        expect(code).toBe(3);
        expect(stderr).toContain(strange);
      }
    },
  );

  it('a name that could move the cursor is spelled out', async () => {
    const { stderr } = await refusedHere([...pair('good'), '--certificate', file('\u001b[2J.pem')]);
    expect(stderr).toContain('\\u001b[2J.pem');
  });

  it.each([['env:NOT_SET'], ['env:EMPTY'], ['fd:9'], ['-']])(
    'nothing behind %s: exit code 3',
    async (source) => {
      const options = { env: { EMPTY: '' } };
      expect((await refusedHere([...pair('good'), '--certificate', source], options)).code).toBe(3);
    },
  );

  // The runtime opens a score of descriptors for itself before anything of ours runs; some can be read, without end.
  it("each of the runtime's own descriptors: exit code 3, at once", async () => {
    const numbers = Array.from({ length: 24 }, (_, index) => index + 3);
    await Promise.all(
      [0, 1, 2].map(async (lane) => {
        for (const number of numbers.filter((each) => each % 3 === lane)) {
          const words = [...pair('good'), '--private-key', `fd:${number}`];
          const { code } = await refusedHere(words);
          expect(code, `fd:${number}`).toBe(3);
        }
      }),
    );
  });

  it('a descriptor that was forgotten: how to open one', async () => {
    const { stderr } = await refusedHere([...pair('good'), '--private-key', 'fd:3']);
    expect(stderr).toMatch(/not open.*\n.*3</);
  });

  it('a CA bundle that is missing or holds no certificate: exit code 6', async () => {
    await writeFile(file('empty'), '');
    for (const name of ['missing', 'empty']) {
      const { code, stderr } = await refusedHere([
        ...pair('good'),
        ...['--endpoint', 'https://127.0.0.1:1', '--ca-bundle', file(name), '--timeout', '3'],
      ]);
      expect(code).toBe(6);
      expect(stderr).toContain(file(name));
    }
  });
});

describe('certificates that the service would refuse: exit code 3, before any request', () => {
  const day = 86_400_000;
  const ago = (days: number) => new Date(Date.now() - days * day);

  it.each<[string, CertificateOptions, RegExp]>([
    ['expired', { notBefore: ago(9), notAfter: ago(2) }, /\d days/],
    ['not yet valid', { notBefore: ago(-3), notAfter: ago(-9) }, /\d days/],
    ['an authority', { ca: true, keyUsage: ['keyCertSign', 'digitalSignature'] }, /CA|authority/],
    ['of version 1', { version: 1 }, /version|v1/],
    ['signed over SHA-1', { hash: 'sha1' }, /SHA-?1/i],
    ['signed over MD5', { hash: 'md5' }, /MD5/i],
    ['not for signing', { keyUsage: ['keyEncipherment'] }, /digitalSignature/],
  ])('%s', async (name, options, words) => {
    const { code, stderr } = await refusedHere(await writePair(name.replaceAll(' ', '-'), options));
    expect(code).toBe(3);
    expect(stderr).toMatch(words);
  });

  it('of another key', async () => {
    await writePair('other', {});
    const { code } = await refusedHere([
      '--certificate',
      file('good.pem'),
      '--private-key',
      file('other.key'),
    ]);
    expect(code).toBe(3);
  });
});

describe('keys of types that are not supported: exit code 3, by the type’s name', () => {
  it.each<[string, () => { export(options: { format: 'pem'; type: 'pkcs8' }): string | Buffer }]>([
    ['Ed25519', () => generateKeyPairSync('ed25519').privateKey],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
    ['1024', () => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
  ])('%s', async (name, make) => {
    await writeFile(file('strange.key'), make().export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
    const { code, stderr } = await refusedHere([...pair('good'), '--private-key', file('strange.key')]);
    expect(code).toBe(3);
    expect(stderr.toLowerCase()).toContain(name.toLowerCase());
  });

  it('an encrypted key', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const encrypted = privateKey.export({
      format: 'pem',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    });
    await writeFile(file('locked.key'), encrypted, { mode: 0o600 });
    const { code, stderr } = await refusedHere([...pair('good'), '--private-key', file('locked.key')]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/password|encrypted/);
  });

  it('handle:0x81000001, which is to come', async () => {
    const { code } = await refusedHere([...pair('good'), '--private-key', 'handle:0x81000001']);
    expect([2, 3]).toContain(code);
  });

  it.each(['pkcs11:token=nowhere?pin-value=4711', 'pkcs11:token?pin-value=4711'])('%s', async (uri) => {
    const { code, stderr } = await refusedHere([...pair('good'), '--private-key', uri]);
    expect([2, 3]).toContain(code);
    expect(stderr).not.toContain('4711');
  });
});

describe('the service', () => {
  it.each<[number, string]>([
    [400, 'ValidationException'],
    [403, 'AccessDeniedException'],
    [404, 'ResourceNotFoundException'],
  ])('refuses with %i %s: exit code 4, with its words and request id, asked once', async (status, type) => {
    const { endpoint, count } = await service((_, response) => {
      response.writeHead(status, {
        'x-amzn-ErrorType': `${type}:http://internal/`,
        'x-amzn-RequestId': 'id-4711',
      });
      response.end(JSON.stringify({ message: 'words of \u001b[31mthe service' }));
    });
    const { code, stderr } = await failure([...arns, ...pair('good'), '--endpoint', endpoint]);
    expect(code).toBe(4);
    for (const word of [type, 'words of', 'the service', 'id-4711']) expect(stderr).toContain(word);
    expect(stderr).not.toContain('\u001b');
    expect(count()).toBe(1);
  });

  it('fails again and again: exit code 5 when the time is up', async () => {
    const { endpoint, count } = await service((_, response) => response.writeHead(500).end('{}'));
    const begin = Date.now();
    const { code } = await failure([...arns, ...pair('good'), '--endpoint', endpoint, '--timeout', '3']);
    expect(code).toBe(5);
    expect(count()).toBeGreaterThan(1);
    expect(count()).toBeLessThan(20);
    expect(Date.now() - begin).toBeLessThan(6000);
  });

  it('is silent: exit code 5 when the time is up', async () => {
    const { endpoint } = await service(() => undefined);
    const begin = Date.now();
    const { code } = await failure([...arns, ...pair('good'), '--endpoint', endpoint, '--timeout', '2']);
    expect(code).toBe(5);
    expect(Date.now() - begin).toBeLessThan(5000);
  });

  it('is not there: exit code 5', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const endpoint = `http://127.0.0.1:${port}`;
    const { code, stderr } = await failure([
      ...arns,
      ...pair('good'),
      '--endpoint',
      endpoint,
      '--timeout',
      '2',
    ]);
    expect(code).toBe(5);
    expect(stderr).toContain(String(port));
  });

  it('has no such name: exit code 5', async () => {
    const words = [...arns, ...pair('good'), '--endpoint', 'https://rolesanywhere.invalid', '--timeout', '3'];
    expect((await failure(words)).code).toBe(5);
  });

  it.each([
    'not JSON',
    '[]',
    '{}',
    '{"credentialSet":[]}',
    '{"credentialSet":[{"credentials":null}]}',
    'null',
  ])('answers %s: exit code 5', async (body) => {
    const { endpoint } = await service((_, response) => response.writeHead(201).end(body));
    const words = [...arns, ...pair('good'), '--endpoint', endpoint, '--timeout', '3'];
    expect((await failure(words)).code).toBe(5);
  });

  it('has a certificate of an unknown authority: exit code 5; --no-verify-ssl takes it, and warns', async () => {
    const tls = issue(authority, { name: 'localhost', alternativeNames: ['IP:127.0.0.1', 'localhost'] });
    const options = { key: tls.privateKeyPem, cert: tls.certificatePem };
    const server = createTlsServer(options, (_, response) => {
      response.writeHead(403, { 'x-amzn-ErrorType': 'AccessDeniedException' }).end('{"message":"no"}');
    });
    const words = [...arns, ...pair('good'), '--endpoint', `https://127.0.0.1:${await listen(server)}`];
    const { code, stderr } = await failure(words);
    expect(code).toBe(5);
    expect(stderr).toContain('--ca-bundle');
    const unverified = await failure([...words, '--no-verify-ssl']);
    expect(unverified.code).toBe(4);
    expect(unverified.stderr).toMatch(/^rolesanywhere: warning: /);
    await writeFile(file('ca.pem'), authority.certificatePem);
    expect(await failure([...words, '--ca-bundle', file('ca.pem')])).toEqual({
      code: 4,
      stderr: expect.not.stringContaining('warning') as string,
    });
  });

  it.each([403, 407, 502])(
    'is behind a proxy that answers %i: exit code 5, without its password',
    async (status) => {
      const server = createServer().on('connect', (_, socket) => {
        socket.on('error', () => undefined);
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
      });
      const env = { HTTPS_PROXY: `http://user:canary@127.0.0.1:${await listen(server)}` };
      const words = [
        ...arns,
        ...pair('good'),
        '--endpoint',
        'https://rolesanywhere.invalid',
        '--timeout',
        '3',
      ];
      const { code, stderr } = await failure([...words], { env });
      expect(code).toBe(5);
      expect(stderr).toMatch(/proxy/);
      expect(stderr).not.toContain('canary');
      const { stderr: debug } = await run(['credential-process', ...words, '--debug'], { env });
      expect(debug).not.toContain('canary');
    },
  );
});
