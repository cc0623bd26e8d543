import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RefresherState } from '../../src/credentials/refresher.ts';
import type { OpenedSession } from '../../src/credentials/session-source.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { Secret } from '../../src/secret.ts';
import { startEndpoint } from '../../src/serve/endpoint.ts';
import type { Endpoint, EndpointOptions } from '../../src/serve/endpoint.ts';
import { Metrics } from '../../src/serve/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { openedSession } from '../support/sessions.ts';

const list = '/latest/meta-data/iam/security-credentials';
const ttlHeader = 'x-aws-ec2-metadata-token-ttl-seconds';
const roleArn = 'arn:aws:iam::123456789012:role/on/a/path/backup';
const failure = new RolesAnywhereError('SERVICE_REFUSED', 'the service refused: AccessDenied');

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('the endpoint', () => {
  let clock: FakeClock;
  let state: RefresherState;
  let wait: () => Promise<OpenedSession>;
  let warnings: string[];
  let endpoint: Endpoint;

  const start = async (options: Partial<EndpointOptions> = {}): Promise<Endpoint> => {
    endpoint = await startEndpoint({
      keeper: {
        sessionAt: () => state.session,
        get state() {
          return state;
        },
        get: () => wait(),
      },
      metrics: new Metrics(clock.now()),
      roleArn,
      address: { host: '127.0.0.1', port: 0 },
      clock,
      reporter: { warn: (message) => warnings.push(message), note: () => undefined, debug: () => undefined },
      ...options,
    });
    return endpoint;
  };

  beforeEach(async () => {
    clock = new FakeClock();
    state = { session: openedSession({ opened: clock.now(), lifeSeconds: 3600 }) };
    wait = () => Promise.reject(failure);
    warnings = [];
    await start();
  });

  afterEach(async () => {
    await endpoint.close(0);
  });

  const ask = (
    path: string,
    headers: Readonly<Record<string, string>> = {},
    method = 'GET',
    body?: string,
  ): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(endpoint.url ?? '');
      const call = request(
        { hostname: hostname.replace(/^\[|\]$/g, ''), port, path, method, headers, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => (text += part));
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text });
          });
        },
      );
      call.on('error', reject);
      call.end(body);
    });

  /** Sends bytes as they are; all that comes back until the server ends it. */
  const raw = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answers = '';
      const socket = connect(Number(new URL(endpoint.url ?? '').port), '127.0.0.1', () => {
        socket.write(text);
      });
      socket.setEncoding('utf8').on('data', (part: string) => (answers += part));
      socket.on('close', () => {
        resolve(answers);
      });
    });
  const statuses = (answers: string): (string | undefined)[] =>
    [...answers.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => status);

  const putToken = (ttl = '21600', headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    ask('/latest/api/token', { [ttlHeader]: ttl, ...headers }, 'PUT');

  const withToken = async (path: string, method = 'GET'): Promise<Reply> => {
    const token = (await putToken()).body;
    return ask(path, { 'x-aws-ec2-metadata-token': token }, method);
  };

  describe('as IMDSv2', () => {
    it('issues a token for 1 to 21600 seconds, and echoes them', async () => {
      for (const ttl of ['1', '300', '21600']) {
        const { status, headers, body } = await putToken(ttl);
        expect({ status, ttl: headers[ttlHeader] }).toEqual({ status: 200, ttl });
        expect(body).toMatch(/^[\w-]{40,}$/);
      }
    });

    it.each(['', '0', '21601', '-1', '1.5', 'x', '1e3', '999999999999', '60, 60'])(
      'refuses a token for %j seconds: 400',
      async (ttl) => {
        expect(await putToken(ttl)).toMatchObject({ status: 400 });
      },
    );

    it('refuses a token without its seconds: 400', async () => {
      expect(await ask('/latest/api/token', {}, 'PUT')).toMatchObject({ status: 400 });
    });

    it('names the role without its path, asked with a slash and without', async () => {
      for (const path of [list, `${list}/`, `/${list}`, `/${list}//`, `${list}?x=1`]) {
        expect(await withToken(path), path).toMatchObject({ status: 200, body: 'backup' });
      }
    });

    it('hands the credentials out in the form of EC2', async () => {
      const { status, body } = await withToken(`${list}/backup`);
      expect(status).toBe(200);
      expect(JSON.parse(body)).toEqual({
        Code: 'Success',
        LastUpdated: '2030-01-01T00:00:00Z',
        Type: 'AWS-HMAC',
        AccessKeyId: 'ASIA-1',
        SecretAccessKey: 'secret-key-1',
        Token: 'session-token-1',
        Expiration: '2030-01-01T01:00:00Z',
      });
    });

    it('takes a role name as some clients encode it', async () => {
      await endpoint.close(0);
      await start({ roleArn: 'arn:aws:iam::123456789012:role/a+b=c,d@e' });
      expect(await withToken(`${list}/a%2Bb%3Dc%2Cd%40e`)).toMatchObject({ status: 200 });
      expect(await withToken(`${list}/a+b=c,d@e`)).toMatchObject({ status: 200 });
      expect(await withToken(`${list}/a%`)).toMatchObject({ status: 404 });
    });

    it('takes // for /', async () => {
      expect(await withToken(`/${list}/backup`)).toMatchObject({ status: 200 });
      expect(await ask('//latest/api/token', { [ttlHeader]: '5' }, 'PUT')).toMatchObject({ status: 200 });
    });

    it('knows no other role: 404', async () => {
      for (const path of [`${list}/WRONG`, `${list}/backup/x`, `${list}/on/a/path/backup`]) {
        expect(await withToken(path), path).toMatchObject({ status: 404 });
      }
    });

    it('knows nothing else of EC2: 404, with a token, so that SDKs go on', async () => {
      for (const path of [
        '/latest/meta-data/',
        `${list}-extended/`,
        '/latest/dynamic/x',
        '/latest/user-data',
      ]) {
        expect(await withToken(path), path).toMatchObject({ status: 404 });
      }
    });

    it('says on every answer how long the token lasts', async () => {
      const token = (await putToken('100')).body;
      await clock.advance(1500);
      for (const path of [list, `${list}/`, `${list}/backup`, `${list}/WRONG`, '/latest/x']) {
        const { headers } = await ask(path, { 'x-aws-ec2-metadata-token': token });
        expect(headers[ttlHeader], path).toBe('98');
      }
      state = {};
      const { status, headers } = await ask(list, { 'x-aws-ec2-metadata-token': token });
      expect([status, headers[ttlHeader]]).toEqual([503, '98']);
    });

    it('answers nothing without a good token (IMDSv1): 401', async () => {
      const token = (await putToken('10')).body;
      const paths = [list, `${list}/`, `${list}/backup`, `${list}/WRONG`, '/latest/meta-data/'];
      for (const path of paths) {
        expect(await ask(path), path).toMatchObject({ status: 401 });
        const wrong = { 'x-aws-ec2-metadata-token': `${token.slice(0, -3)}xyz` };
        expect(await ask(path, wrong), path).toMatchObject({ status: 401 });
      }
      await clock.advance(10_000);
      expect(await ask(list, { 'x-aws-ec2-metadata-token': token })).toMatchObject({ status: 401 });
    });

    it('refuses other methods: 405', async () => {
      for (const method of ['GET', 'POST', 'DELETE', 'HEAD', 'OPTIONS']) {
        const { status, headers } = await ask('/latest/api/token', { [ttlHeader]: '5' }, method);
        expect([method, status, headers.allow]).toEqual([method, 405, 'PUT']);
      }
      for (const method of ['PUT', 'POST', 'HEAD', 'OPTIONS']) {
        expect(await withToken(`${list}/backup`, method)).toMatchObject({ status: 405 });
      }
    });
  });

  describe('as the container endpoint', () => {
    beforeEach(async () => {
      await endpoint.close(0);
      await start({ containerToken: new Secret(Buffer.from('the-token')) });
    });

    it('hands the credentials out for the token', async () => {
      for (const path of ['/credentials', '/credentials/', '//credentials']) {
        const { status, headers, body } = await ask(path, { authorization: 'the-token' });
        expect([status, headers['content-type']], path).toEqual([200, 'application/json']);
        expect(JSON.parse(body)).toEqual({
          RoleArn: roleArn,
          AccessKeyId: 'ASIA-1',
          SecretAccessKey: 'secret-key-1',
          Token: 'session-token-1',
          Expiration: '2030-01-01T01:00:00Z',
        });
      }
    });

    it.each([undefined, '', 'the-tokem', 'the-token2', 'Bearer the-token', 'THE-TOKEN'])(
      'refuses %j: 401, without a hint of what is right',
      async (authorization) => {
        const reply = await ask('/credentials', authorization === undefined ? {} : { authorization });
        expect(reply.status).toBe(401);
        expect(JSON.stringify(reply)).not.toContain('the-token');
        expect(reply.body).not.toContain('ASIA');
        expect(warnings).toEqual(['refused a request with a wrong or no container token']);
      },
    );

    it('says why there are none: 503', async () => {
      state = {};
      const { status, body } = await ask('/credentials', { authorization: 'the-token' });
      expect(status).toBe(503);
      expect(JSON.parse(body)).toEqual({ code: 'SERVICE_REFUSED', message: failure.message });
    });
  });

  it('has no container endpoint without a token', async () => {
    expect(await ask('/credentials', { authorization: '' })).toMatchObject({ status: 404 });
  });

  describe('while sessions cannot be opened', () => {
    /** There is no session, and whoever wants one waits. */
    const pending = () => {
      state = {};
      let open: (session: OpenedSession) => void = () => undefined;
      const attempt = new Promise<OpenedSession>((resolve) => (open = resolve));
      const awaited = new Promise<void>((resolve) => {
        wait = () => {
          resolve();
          return attempt;
        };
      });
      return { awaited, open };
    };

    it('CH#200: hands the last good credentials out, until they are gone', async () => {
      state = {
        ...state,
        failure: { error: failure, since: clock.now(), attempts: 3, nextAttempt: clock.now() },
      };
      expect(await withToken(`${list}/backup`)).toMatchObject({ status: 200 });
      const health = await ask('/healthz');
      expect(health.status).toBe(200);
      expect(JSON.parse(health.body)).toEqual({
        status: 'ok',
        expiration: '2030-01-01T01:00:00Z',
        reason: { code: 'SERVICE_REFUSED', message: failure.message },
        failingSince: '2030-01-01T00:00:00Z',
        failedAttempts: 3,
      });

      state = { failure: { error: failure, since: clock.now(), attempts: 4 } };
      const { status, body } = await withToken(`${list}/backup`);
      expect(status).toBe(503);
      expect(JSON.parse(body)).toEqual({ Code: 'SERVICE_REFUSED', Message: failure.message });
      expect(await ask('/healthz')).toMatchObject({ status: 503 });
    });

    it('waits a little for a session that is being opened', async () => {
      const attempt = pending();
      const reply = withToken(`${list}/backup`);
      await attempt.awaited;
      attempt.open(openedSession({ opened: clock.now(), lifeSeconds: 900, name: 'new' }));
      expect((await reply).body).toContain('ASIA-new');
    });

    it('does not wait longer than clients do', async () => {
      const attempt = pending();
      const reply = withToken(list);
      await attempt.awaited;
      await clock.advance(5000);
      expect(await reply).toMatchObject({ status: 503 });
    });

    it('calls a defect a defect, and shows nothing of it', async () => {
      state = {};
      wait = () => Promise.reject(new Error('canary'));
      const { status, body } = await withToken(list);
      expect(status).toBe(503);
      expect(body).not.toContain('canary');
    });

    it('outlives a defect of its own: 500', async () => {
      const defect = (): never => {
        throw new Error('canary');
      };
      state = {
        get session() {
          return defect();
        },
      };
      const { status, body } = await withToken(list);
      expect(status).toBe(500);
      expect(body).not.toContain('canary');
      expect(await putToken()).toMatchObject({ status: 200 });
    });
  });

  it('answers from the newest session', async () => {
    await withToken(`${list}/backup`);
    state = { session: openedSession({ opened: clock.now(), lifeSeconds: 900, name: '2' }) };
    expect((await withToken(`${list}/backup`)).body).toContain('ASIA-2');
  });

  describe('refuses what no AWS client sends', () => {
    it.each([
      'evil.example',
      'evil.example:9911',
      '127.0.0.1.evil.example',
      '169.254.169.254',
      '10.0.0.1',
      '::1',
    ])('another host, %j: 403 (DNS rebinding)', async (host) => {
      for (const [path, method] of [
        ['/latest/api/token', 'PUT'],
        ['/healthz', 'GET'],
        ['/metrics', 'GET'],
      ] as const) {
        const { status } = await ask(path, { host, [ttlHeader]: '60' }, method);
        expect(status).toBe(403);
      }
      expect(warnings).toEqual(['refused a request for another host']);
    });

    it.each(['127.0.0.1', 'localhost', 'LOCALHOST:1', 'localhost.', '127.0.0.1:80'])(
      'but not %j',
      async (host) => {
        expect(await putToken('60', { host })).toMatchObject({ status: 200 });
      },
    );

    it('X-Forwarded-For: 400', async () => {
      expect(await putToken('60', { 'X-Forwarded-For': '1.2.3.4' })).toMatchObject({ status: 400 });
      expect(await putToken('60', { 'X-Forwarded-For': '' })).toMatchObject({ status: 400 });
      expect(await ask('/healthz', { 'x-forwarded-for': '1.2.3.4' })).toMatchObject({ status: 400 });
    });

    it('unknown paths: 404', async () => {
      for (const path of ['/', '//', '/x', '/latest', '/healthz/x', '*', '/%', '/metrics%00']) {
        expect(await ask(path), path).toMatchObject({ status: 404 });
      }
    });

    it('bodies: 413, and what follows is not read', async () => {
      for (const body of [
        'Content-Length: 5000\r\n\r\nx',
        'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
      ]) {
        const head = `PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1\r\n${ttlHeader}: 60\r\n`;
        const next = 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
        expect(statuses(await raw(head + body + next))).toEqual(['413']);
      }
    });

    it('large headers: 431', async () => {
      expect(await ask('/healthz', { x: 'x'.repeat(9000) })).toMatchObject({ status: 431 });
    });

    it('X-Forwarded-For behind more headers than Node.js reads unless told: 400', async () => {
      const flood = 'a:\r\n'.repeat(2000);
      const head = 'GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n';
      expect(statuses(await raw(`${head}${flood}X-Forwarded-For: 1.2.3.4\r\n\r\n`))).toEqual(['400']);
    });

    it('no host at all, as HTTP/1.0 allows: 403', async () => {
      expect(statuses(await raw('GET /healthz HTTP/1.0\r\n\r\n'))).toEqual(['403']);
    });

    it('two tokens, of which one is good: 401', async () => {
      const token = `x-aws-ec2-metadata-token: ${(await putToken()).body}\r\n`;
      const head = `GET ${list} HTTP/1.0\r\nHost: localhost\r\n`;
      expect(statuses(await raw(`${head}${token}\r\n`))).toEqual(['200']);
      expect(statuses(await raw(`${head}${token}${token}\r\n`))).toEqual(['401']);
    });
  });

  it('takes a token request without Content-Length, as Java and Rust send it, and with an empty body', async () => {
    const head = `PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${ttlHeader}: 60\r\n`;
    for (const length of ['', 'Content-Length: 0\r\n']) {
      expect(statuses(await raw(`${head}${length}\r\n`))).toEqual(['200']);
    }
  });

  describe('at its end', () => {
    /** A client that has sent the first part of what it sends; all that comes back, once it is cut off. */
    const client = async (first: string) => {
      const socket = connect(Number(new URL(endpoint.url ?? '').port), '127.0.0.1');
      socket.write(first);
      let answers = '';
      socket.setEncoding('utf8').on('data', (part: string) => (answers += part));
      const ended = once(socket, 'close').then(() => answers);
      // Its bytes are there before what the next exchange brings.
      await ask('/healthz');
      return { socket, ended };
    };
    const timeOf = async (work: Promise<unknown>): Promise<number> => {
      const began = Date.now();
      await work;
      return Date.now() - began;
    };

    it('waits for who is still asking, and no longer than that takes', async () => {
      const { socket, ended } = await client('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n');
      const closed = endpoint.close(10_000);
      socket.write('\r\n');
      expect(await timeOf(closed)).toBeLessThan(5000);
      expect(statuses(await ended)).toEqual(['200']);
    });

    it('cuts off who never comes to an end', async () => {
      const { ended } = await client('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n');
      expect(await timeOf(endpoint.close(100))).toBeLessThan(5000);
      expect(await ended).toBe('');
    });
  });

  it('answers for addresses of every kind, and for no name, where it listens on all of them', async () => {
    await endpoint.close(0);
    await start({ address: { host: '0.0.0.0', port: 0 } });
    expect(endpoint.name).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
    expect(endpoint.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(warnings).toEqual([expect.stringContaining('other machines') as string]);
    // As behind a container's published port.
    for (const host of ['10.0.0.1:8080', '[fd00::1]', 'localhost']) {
      expect(await putToken('60', { host }), host).toMatchObject({ status: 200 });
    }
    expect(await putToken('60', { host: 'evil.example' })).toMatchObject({ status: 403 });
  });

  it('CH#76, CH#126: listens on IPv6', async () => {
    await endpoint.close(0);
    await start({ address: { host: '::1', port: 0 } });
    expect(endpoint.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(await withToken(list)).toMatchObject({ status: 200, body: 'backup' });
    expect(await putToken('60', { host: '127.0.0.1' })).toMatchObject({ status: 403 });
  });

  it('complains of the same thing once a minute', async () => {
    await ask('/', { host: 'evil.example' });
    await ask('/', { host: 'other.example' });
    expect(warnings).toHaveLength(1);
    await clock.advance(60_000);
    await ask('/', { host: 'evil.example' });
    expect(warnings).toHaveLength(2);
  });

  it('counts its answers by resource and status, and by nothing that a client sent', async () => {
    await withToken(`${list}/canary`);
    await ask('/canary?canary', { canary: 'canary' });
    const { body } = await ask('/metrics');
    expect(body).toContain(`rolesanywhere_http_requests_total{path="${list}/{role}",status="404"} 1\n`);
    expect(body).toContain('rolesanywhere_http_requests_total{path="other",status="404"} 1\n');
    expect(body).not.toContain('canary');
  });
});
