import { createPrivateKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run } from '../support/command.ts';
import type { RunOptions } from '../support/command.ts';
import { writePki } from '../support/pki-files.ts';
import type { PkiFiles } from '../support/pki-files.ts';

// Secrets that no run may show, in whatever state it ends: planted in the key, the proxy's URL and the service's
// answers, and the signature that each request carries.
const planted = {
  secretAccessKey: 'canary-secret-access-key',
  sessionToken: 'canary-session-token',
  proxyPassword: 'canary-proxy-password',
};

const session = (changes: object): string =>
  JSON.stringify({
    credentialSet: [
      {
        assumedRoleUser: { arn: 'arn:aws:sts::123456789012:assumed-role/r/s', assumedRoleId: 'AROA:s' },
        credentials: {
          accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
          secretAccessKey: planted.secretAccessKey,
          sessionToken: planted.sessionToken,
          expiration: new Date(Date.now() + 3_600_000).toISOString(),
          ...changes,
        },
        roleArn: 'arn:aws:iam::123456789012:role/r',
      },
    ],
  });

/** What the service answers at each path; `%s` becomes the request's Authorization header. */
const answers: Readonly<Record<string, readonly [status: number, body: string]>> = {
  '/good': [201, session({})],
  '/expired': [201, session({ expiration: '2020-01-01T00:00:00Z' })],
  '/no-date': [201, session({ expiration: planted.sessionToken })],
  '/no-key': [201, session({ accessKeyId: null })],
  '/torn': [201, session({}).slice(0, -20)],
  '/no-json': [201, `<html>${planted.secretAccessKey} ${planted.sessionToken}</html>`],
  '/refused': [403, '{"message":"Unable to assume role, you sent %s"}'],
  '/echo-in-code': [400, '{"__type":"%s","message":"no"}'],
  '/failing': [500, session({})],
  '/proxy-refusal': [407, `no entry for ${planted.proxyPassword}`],
};

const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

describe('no output ever shows a secret', () => {
  let directory: string;
  let pki: PkiFiles;
  let service: number;
  let proxy: number;
  let keyText: string;
  let canaries: Map<string, string>;

  const serviceServer = createServer((request, response) => {
    const { authorization = '' } = request.headers;
    canaries.set('signature', /Signature=([0-9a-f]+)/.exec(authorization)?.[1] ?? 'none');
    const [status, body] = answers[(request.url ?? '').replace(/\/sessions.*/, '')] ?? [404, ''];
    request.resume().on('end', () => {
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(body.replace('%s', authorization));
    });
  });
  const refusal = `HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n`;
  const proxyServer = createServer((request, response) => {
    request.resume();
    const [status, body] = answers['/proxy-refusal'] ?? [500, ''];
    response.writeHead(status).end(body);
  }).on('connect', (_request, socket) => socket.end(refusal));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'canary '));
    pki = await writePki(directory);
    [service, proxy] = await Promise.all([listen(serviceServer), listen(proxyServer)]);
    keyText = await readFile(pki.rsa.key, 'utf8');
    const { d = '', p = '' } = createPrivateKey(keyText).export({ format: 'jwk' });
    const hex = (part: string): string => Buffer.from(part, 'base64url').toString('hex');
    canaries = new Map([
      ...Object.entries(planted),
      ['proxy password, encoded', Buffer.from(`user:${planted.proxyPassword}`).toString('base64')],
      ['private exponent', hex(d).slice(0, 32)],
      ['prime', hex(p).slice(0, 32)],
      ...keyText
        .split('\n')
        .filter((line) => line.length === 64)
        .map((line, index) => [`line ${index} of the key`, line.slice(8, 40)] as const),
    ]);
    await writeFile(join(directory, 'broken.key'), keyText.replace(/\n(.{30})/, '\n$1!'));
    await writeFile(join(directory, 'cut.key'), keyText.slice(0, keyText.length / 2));
  });

  afterAll(async () => {
    serviceServer.close();
    proxyServer.close();
    await rm(directory, { recursive: true, force: true });
  });

  const expectNoCanary = (text: string): void => {
    expect([...canaries].filter(([, canary]) => text.includes(canary)).map(([name]) => name)).toEqual([]);
  };

  interface Case extends RunOptions {
    readonly path?: string;
    readonly endpoint?: string;
    readonly key?: string;
    readonly options?: readonly string[];
  }

  const openSession = async ({ path, endpoint, key, options = [], ...runOptions }: Case) =>
    run(
      [
        ...['credential-process', '--endpoint', endpoint ?? `http://127.0.0.1:${service}${path ?? '/good'}`],
        ...['--certificate', pki.rsa.certificate, '--private-key', key ?? pki.rsa.key],
        '--trust-anchor-arn',
        'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-2222-4333-8444-555555555555',
        '--profile-arn',
        'arn:aws:rolesanywhere:us-east-1:123456789012:profile/66666666-7777-4888-9999-000000000000',
        ...['--role-arn', 'arn:aws:iam::123456789012:role/r', '--timeout', '2', ...options],
      ],
      runOptions,
    );

  const proxyUrl = (port: number | string): string =>
    `http://user:${planted.proxyPassword}@127.0.0.1:${port}`;

  const failures: readonly (readonly [name: string, make: () => Case])[] = [
    ...Object.keys(answers)
      .filter((path) => path !== '/good' && path !== '/proxy-refusal')
      .map((path) => [`an answer such as ${path}`, () => ({ path })] as const),
    ['a key that is broken', () => ({ key: join(directory, 'broken.key') })],
    ['a key that is cut', () => ({ key: join(directory, 'cut.key') })],
    [
      'a broken key in a variable',
      () => ({ key: 'env:KEY', env: { KEY: keyText.replace(/\n(.{30})/, '\n$1!') } }),
    ],
    ['a cut key from standard input', () => ({ key: '-', input: keyText.slice(0, 800) })],
    ["a key's text in place of its path", () => ({ key: keyText })],
    ["a key's text in place of a variable's name", () => ({ key: `env:${keyText}` })],
    ["a key's text as a stray word", () => ({ options: [keyText] })],
    ["a key's text as an option", () => ({ options: [`--${keyText}`] })],
    ["another certificate's key", () => ({ key: pki.ec.key })],
    [
      'a proxy that refuses, for https',
      () => ({ endpoint: 'https://rolesanywhere.example', env: { HTTPS_PROXY: proxyUrl(proxy) } }),
    ],
    [
      'a proxy that refuses, for http',
      () => ({
        endpoint: 'http://rolesanywhere.example',
        env: { HTTP_PROXY: proxyUrl(proxy), http_proxy: proxyUrl(proxy) },
      }),
    ],
    [
      'a proxy that is not there',
      () => ({ endpoint: 'https://rolesanywhere.example', env: { HTTPS_PROXY: proxyUrl(1) } }),
    ],
    [
      'a proxy whose URL is none',
      () => ({ endpoint: 'https://rolesanywhere.example', env: { HTTPS_PROXY: proxyUrl('no-port') } }),
    ],
    [
      'a proxy of an unknown kind',
      () => ({
        endpoint: 'https://rolesanywhere.example',
        env: { HTTPS_PROXY: proxyUrl(1080).replace('http:', 'socks5:') },
      }),
    ],
    [
      "a password in the endpoint's URL",
      () => ({ endpoint: `http://user:${planted.proxyPassword}@127.0.0.1:${service}/good` }),
    ],
  ];

  describe.each(['--debug', '--debug=false'])('with %s', (debug) => {
    it.each(failures)('%s', async (_name, make) => {
      const it = make();
      const { code, stdout, stderr } = await openSession({ ...it, options: [debug, ...(it.options ?? [])] });
      expect(code).toBeGreaterThan(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^rolesanywhere: error: /m);
      expectNoCanary(stderr);
    });

    it('success: the credentials are on stdout alone, and nothing else is there', async () => {
      const { code, stdout, stderr } = await openSession({ options: [debug] });
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        SecretAccessKey: planted.secretAccessKey,
        SessionToken: planted.sessionToken,
      });
      expectNoCanary(stderr);
      expectNoCanary(stdout.replace(planted.secretAccessKey, '').replace(planted.sessionToken, ''));
    });
  });
});
