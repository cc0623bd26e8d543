import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionOptions, Session } from '../../src/aws/create-session.ts';
import type { Learned } from '../../src/aws/http.ts';
import { failure } from './failure.ts';
import {
  type Authority,
  localProxy,
  localService,
  makeAuthority,
  type ServerCertificate,
} from './local-service.ts';
import { open, type Said } from './open-session.ts';

let directory: string;
let authority: Authority;
let certificate: ServerCertificate;
let bundle: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rolesanywhere-tls-'));
  authority = await makeAuthority();
  certificate = await authority.issue(['localhost', '127.0.0.1', 'service.example']);
  bundle = file('ca.pem', authority.pem);
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_') || /_proxy$/iu.test(name) || name === 'SSL_CERT_FILE')
      vi.stubEnv(name, undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const at = (service: { readonly port: number }, host = '127.0.0.1'): string =>
  `https://${host}:${service.port}`;
const opened = { roleArn: 'arn:aws:iam::123456789012:role/R' };

describe('which authorities count', () => {
  test('an unknown one is refused with a hint, before anything is sent, and not tried again', async () => {
    await using service = await localService([{}], certificate);
    vi.stubEnv('SSL_CERT_FILE', file('stranger.pem', (await makeAuthority()).pem));
    const said: Said = { warnings: [], steps: [] };
    const error = await failure(() => open(at(service), {}, said));
    expect(error.code).toBe('TLS_UNTRUSTED');
    expect(error.hint).toContain('--ca-bundle');
    expect(service.received).toHaveLength(0);
    // Once with the runtime's authorities, once with the system's.
    expect(said.steps.filter((step) => step.startsWith('POST'))).toHaveLength(2);
  });

  test('--ca-bundle and AWS_CA_BUNDLE name one; the option wins', async () => {
    await using service = await localService([{}], certificate);
    await expect(open(at(service), { caBundle: bundle })).resolves.toMatchObject(opened);
    vi.stubEnv('AWS_CA_BUNDLE', bundle);
    await expect(open(at(service, 'localhost'))).resolves.toMatchObject(opened);
    const other = file('other.pem', (await makeAuthority()).pem);
    expect(await failure(() => open(at(service), { caBundle: other }))).toMatchObject({
      code: 'TLS_UNTRUSTED',
    });
  });

  test('a bundle counts alone: not even the system’s authorities are asked then', async () => {
    await using service = await localService([{}], certificate);
    vi.stubEnv('SSL_CERT_FILE', bundle);
    vi.stubEnv('AWS_CA_BUNDLE', file('alone.pem', (await makeAuthority()).pem));
    expect(await failure(() => open(at(service)))).toMatchObject({ code: 'TLS_UNTRUSTED' });
  });

  test("the system's bundle is asked when the runtime does not know the authority", async () => {
    await using service = await localService([{}], certificate);
    vi.stubEnv('SSL_CERT_FILE', bundle);
    const said: Said = { warnings: [], steps: [] };
    await expect(open(at(service), {}, said)).resolves.toMatchObject(opened);
    expect(said.warnings).toEqual([]);
    expect(service.received).toHaveLength(1);
  });

  test('it is asked once for several calls, and again when it has changed', async () => {
    const said: Said = { warnings: [], steps: [] };
    const attempts = (): number => said.steps.splice(0).filter((step) => step.startsWith('POST')).length;
    const learned: Learned = {};
    vi.stubEnv('SSL_CERT_FILE', bundle);
    await using service = await localService([{}], certificate);
    await open(at(service), { learned }, said);
    expect(attempts()).toBe(2);
    await open(at(service), { learned }, said);
    expect(attempts()).toBe(1);
    const successor = await makeAuthority();
    await using renewed = await localService([{}], await successor.issue(['127.0.0.1']));
    vi.stubEnv('SSL_CERT_FILE', file('successor.pem', successor.pem));
    await open(at(renewed), { learned }, said);
    expect(attempts()).toBe(2);
  });

  test("it is asked too when the other side sends its authority along, as a company's proxy does", async () => {
    const { cert, key } = certificate;
    await using service = await localService([{}], { cert: `${cert}\n${authority.pem}`, key });
    expect(await failure(() => open(at(service)))).toMatchObject({ code: 'TLS_UNTRUSTED' });
    vi.stubEnv('SSL_CERT_FILE', bundle);
    await expect(open(at(service))).resolves.toMatchObject(opened);
  });

  test.each<[string, () => string]>([
    ['is missing', () => join(directory, 'missing.pem')],
    ['is a directory', () => directory],
    ['is empty', () => file('empty.pem', '')],
    ['holds no certificate', () => file('key.pem', certificate.key)],
  ])('a bundle that %s is an error before any request', async (_, path) => {
    await using service = await localService([{}], certificate);
    const error = await failure(() => open(at(service), { caBundle: path() }));
    expect(error.code).toBe('FILE_UNREADABLE');
    expect(error.message).toContain(path());
    expect(service.received).toHaveLength(0);
  });

  test('plain http needs no bundle', async () => {
    await using service = await localService([{}]);
    vi.stubEnv('AWS_CA_BUNDLE', join(directory, 'missing.pem'));
    await expect(open(`http://127.0.0.1:${service.port}`)).resolves.toMatchObject(opened);
  });

  test('--no-verify-ssl takes any certificate and warns', async () => {
    await using service = await localService([{}], certificate);
    const said: Said = { warnings: [], steps: [] };
    await expect(open(at(service), { verifyTls: false }, said)).resolves.toMatchObject(opened);
    expect(said.warnings).toHaveLength(1);
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 does not turn the verification off', async () => {
    await using service = await localService([{}], certificate);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    expect(await failure(() => open(at(service)))).toMatchObject({ code: 'TLS_UNTRUSTED' });
    warned.mockRestore();
  });
});

describe('certificates that a known authority issued', () => {
  const day = 86_400_000;
  test.each<[string, () => Promise<ServerCertificate>, RegExp]>([
    ['for another host', () => authority.issue(['other.example']), /other host names/u],
    [
      'that have expired',
      () =>
        authority.issue(['127.0.0.1'], {
          from: new Date(Date.now() - 2 * day),
          to: new Date(Date.now() - day),
        }),
      /expired/u,
    ],
    [
      'that are not valid yet',
      () =>
        authority.issue(['127.0.0.1'], {
          from: new Date(Date.now() + day),
          to: new Date(Date.now() + 2 * day),
        }),
      /not valid yet/u,
    ],
  ])('%s are refused, and the system is not asked', async (_, issue, words) => {
    await using service = await localService([{}], await issue());
    vi.stubEnv('SSL_CERT_FILE', bundle);
    const said: Said = { warnings: [], steps: [] };
    const error = await failure(() => open(at(service), { caBundle: bundle }, said));
    expect(error.code).toBe('TLS_UNTRUSTED');
    expect(error.message).toMatch(words);
    expect(said.steps.filter((step) => step.startsWith('POST'))).toHaveLength(1);
  });
});

describe('TLS itself', () => {
  // What an administrator can do to all of a machine's Node: NODE_OPTIONS=--tls-min-v1.0 and the ciphers' level.
  describe('where the runtime would take less than TLS 1.2', () => {
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls;
    beforeEach(() => {
      tls.DEFAULT_MIN_VERSION = 'TLSv1';
      tls.DEFAULT_CIPHERS = 'DEFAULT@SECLEVEL=0';
    });
    afterEach(() => {
      Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS });
    });

    test.each(['directly', 'through a proxy'])('it is refused %s', async (way) => {
      await using service = await localService([{}], { ...certificate, maxVersion: 'TLSv1.1' });
      await using proxy = await localProxy();
      vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${proxy.port}`);
      const connection = { caBundle: bundle, proxy: way === 'directly' ? 'none' : 'required' } as const;
      expect(await failure(() => open(at(service), connection))).toMatchObject({
        code: 'SERVICE_UNREACHABLE',
      });
      expect(service.received).toHaveLength(0);
      // Nothing else stood in the way.
      const version = await new Promise((resolve, reject) => {
        get(at(service), { ca: authority.pem }, ({ socket }) => {
          resolve(socket instanceof tls.TLSSocket && socket.getProtocol());
        }).on('error', reject);
      });
      expect(version).toBe('TLSv1.1');
    });
  });

  test('https to a port that speaks plain http', async () => {
    await using service = await localService([{}]);
    const error = await failure(() => open(at(service)));
    expect(error.code).toBe('SERVICE_UNREACHABLE');
    expect(error.hint).toContain('http://');
  });
});

describe('through a proxy', () => {
  const via = (proxy: { readonly port: number }, user = ''): void => {
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY'])
      vi.stubEnv(name, `http://${user}127.0.0.1:${proxy.port}`);
  };
  const required: ConnectionOptions = { proxy: 'required' };
  const environment: ConnectionOptions = { proxy: 'environment' };

  test('https is tunnelled by CONNECT, by name, with verification on the far side', async () => {
    await using service = await localService([{}], certificate);
    await using proxy = await localProxy();
    via(proxy);
    const endpoint = at(service, 'service.example');
    await expect(open(endpoint, { ...environment, caBundle: bundle })).resolves.toMatchObject(opened);
    expect(proxy.received).toEqual([
      { line: `CONNECT service.example:${service.port}`, authorization: undefined },
    ]);
    expect(service.received[0]?.headers.host).toBe(`service.example:${service.port}`);
    expect(service.received[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test.each([201, 204, 299])('any 2xx opens the tunnel: %d', async (accept) => {
    await using service = await localService([{}], certificate);
    await using proxy = await localProxy({ accept });
    via(proxy);
    await expect(open(at(service), { ...required, caBundle: bundle })).resolves.toMatchObject(opened);
  });

  test('the request is the same as without one', async () => {
    await using service = await localService([{}], certificate);
    await using proxy = await localProxy();
    via(proxy);
    const now = new Date();
    const connection = { caBundle: bundle, now: () => now };
    await open(at(service), { ...connection, proxy: 'none' });
    await open(at(service), { ...connection, ...required });
    const [direct, proxied] = service.received.map(({ headers, ...rest }) => {
      return { ...rest, rawHeaders: [], headers: { ...headers, connection: '' } };
    });
    expect(proxy.received).toHaveLength(1);
    expect(proxied).toEqual(direct);
  });

  test('http is asked for by its whole URL', async () => {
    await using proxy = await localProxy();
    via(proxy, 'me:secret@');
    await expect(open('http://emulator.example:8080/prefix', environment)).resolves.toMatchObject(opened);
    expect(proxy.received).toEqual([
      {
        line: 'POST http://emulator.example:8080/prefix/sessions',
        authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
      },
    ]);
  });

  test.each([
    ['me:p%40ss%2Fw%3Ard@', 'me:p@ss/w:rd'],
    ['me@', 'me:'],
    [':secret@', ':secret'],
  ])('the credentials %s of its URL are sent decoded', async (user, expected) => {
    await using service = await localService([{}], certificate);
    await using proxy = await localProxy();
    via(proxy, user);
    await open(at(service), { ...required, caBundle: bundle });
    expect(proxy.received[0]?.authorization).toBe(`Basic ${Buffer.from(expected).toString('base64')}`);
  });

  test('an https proxy is verified by the same bundle', async () => {
    await using service = await localService([{}], certificate);
    await using proxy = await localProxy({ tls: certificate });
    vi.stubEnv('HTTPS_PROXY', `https://localhost:${proxy.port}`);
    await expect(open(at(service), { ...required, caBundle: bundle })).resolves.toMatchObject(opened);
    expect(proxy.received).toHaveLength(1);
    expect(await failure(() => open(at(service), required))).toMatchObject({ code: 'TLS_UNTRUSTED' });
  });

  test.each([403, 407, 502])('one that refuses with %d is told apart from the service', async (refuse) => {
    await using proxy = await localProxy({ refuse });
    via(proxy, 'me:hunter2@');
    const said: Said = { warnings: [], steps: [] };
    const error = await failure(() => open('https://service.example', environment, said));
    expect(error.code).toBe('PROXY_FAILED');
    expect(error.message).toContain(String(refuse));
    const text = JSON.stringify([error.message, error.hint, String(error.cause), said]);
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain(Buffer.from('me:hunter2').toString('base64'));
    expect(proxy.received).toHaveLength(refuse === 502 ? 5 : 1);
  });

  test('one that refuses plain http with 407', async () => {
    await using proxy = await localProxy({ refuse: 407 });
    via(proxy);
    const error = await failure(() => open('http://emulator.example', environment));
    expect(error.code).toBe('PROXY_FAILED');
    expect(error.message).toContain('407');
  });

  test('one that is not there', async () => {
    const proxy = await localProxy();
    await proxy[Symbol.asyncDispose]();
    via(proxy, 'me:hunter2@');
    const error = await failure(() => open('https://service.example', environment));
    expect(error.code).toBe('PROXY_FAILED');
    expect(error.message).toContain(`127.0.0.1:${proxy.port}`);
    expect(`${error.message}${String(error.hint)}`).not.toContain('hunter2');
  });

  test('an unknown authority behind it (a proxy that opens TLS) is the system’s to know', async () => {
    await using service = await localService([{}], certificate);
    await using proxy = await localProxy();
    via(proxy);
    expect(await failure(() => open(at(service), required))).toMatchObject({ code: 'TLS_UNTRUSTED' });
    vi.stubEnv('SSL_CERT_FILE', bundle);
    await expect(open(at(service), required)).resolves.toMatchObject(opened);
  });

  test.each([
    ['another host', ['other.example'], 'TLS_UNTRUSTED'],
    ['this host', ['127.0.0.1'], undefined],
  ])('the certificate behind it is for %s', async (_, names, code) => {
    await using service = await localService([{}], await authority.issue(names));
    await using proxy = await localProxy();
    via(proxy);
    const run = (): Promise<Session> => open(at(service), { ...required, caBundle: bundle });
    if (code === undefined) await expect(run()).resolves.toMatchObject(opened);
    else expect(await failure(run)).toMatchObject({ code });
  });

  test.each<[string, (socket: { write: (text: string) => unknown; destroy: () => unknown }) => void, string]>(
    [
      ['silent', () => undefined, 'SERVICE_TIMEOUT'],
      ['one that hangs up', (socket) => void socket.destroy(), 'PROXY_FAILED'],
      [
        'flooding',
        (socket) => void socket.write(`HTTP/1.1 201 C\r\n\r\n${'x'.repeat(2_000_000)}`),
        'SERVICE_FAILED',
      ],
    ],
  )('a service behind it that is %s', async (_, answer, code) => {
    await using service = await localService([answer], certificate);
    await using proxy = await localProxy();
    via(proxy);
    const run = (): Promise<Session> =>
      open(at(service), {
        ...required,
        caBundle: bundle,
        timeoutSeconds: code === 'SERVICE_TIMEOUT' ? 0.5 : 20,
      });
    expect(await failure(run)).toMatchObject({ code });
  });

  test.each<[string, (socket: Socket) => void]>([
    ['hangs up', (socket) => void socket.destroy()],
    ['hangs up when it is asked', (socket) => void socket.once('data', () => socket.end())],
  ])('one that %s is asked five times, no more', async (_, handle) => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => undefined);
      handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = server.address() as AddressInfo;
    via(proxy, 'me:hunter2@');
    const error = await failure(() =>
      open('https://service.example', { ...environment, timeoutSeconds: 20 }),
    );
    expect(error.code).toBe('PROXY_FAILED');
    expect(error.message).toContain(`127.0.0.1:${proxy.port}`);
    expect(connections).toBe(5);
    server.close();
  });

  test.each([
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['has a header that is none', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n'],
  ])('one whose answer %s', async (_, text) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(text));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = server.address() as AddressInfo;
    via(proxy);
    for (const url of ['https://service.example', 'http://service.example']) {
      const error = await failure(() => open(url, environment));
      expect(error.code).toBe('SERVICE_FAILED');
      expect(error.message).toMatch(new RegExp(`127\\.0\\.0\\.1:${proxy.port}.*HTTP.*\\(HPE_`, 'u'));
      expect(error.hint).toContain('proxies');
    }
    server.close();
  });

  test('one that never answers', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    via(silent.address() as AddressInfo);
    const run = (): Promise<Session> =>
      open('https://service.example', { ...environment, timeoutSeconds: 0.2 });
    expect(await failure(run)).toMatchObject({ code: 'SERVICE_TIMEOUT' });
    silent.close();
  });

  test('hosts in NO_PROXY and loopback go direct', async () => {
    await using service = await localService([{}]);
    await using proxy = await localProxy();
    via(proxy);
    await open(`http://127.0.0.1:${service.port}`, environment);
    vi.stubEnv('NO_PROXY', '127.0.0.0/8');
    await open(`http://127.0.0.1:${service.port}`, required);
    expect(proxy.received).toHaveLength(0);
    expect(service.received).toHaveLength(2);
  });
});

describe('plain http', () => {
  test.each([
    ['to another machine warns', 'http://emulator.example', 1],
    ['to this machine does not', 'http://localhost:1', 0],
  ])('%s', async (_, endpoint, count) => {
    await using proxy = await localProxy();
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${proxy.port}`);
    const said: Said = { warnings: [], steps: [] };
    await open(endpoint, { proxy: 'required' }, said);
    expect(said.warnings).toHaveLength(count);
  });
});
