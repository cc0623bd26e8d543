import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { writePki } from '../support/pki-files.ts';
import type { KeyPairFiles, PkiFiles } from '../support/pki-files.ts';
import { startServe } from '../support/serve-process.ts';
import type { ServeProcess } from '../support/serve-process.ts';
import { withSocket } from '../support/service-manager.ts';
import { buildWrapper, makeSoftHsm, softHsmModule } from '../support/softhsm.ts';

const list = '/latest/meta-data/iam/security-credentials/';

const putToken = async (url: string): Promise<string> => {
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' };
  return (await fetch(`${url}/latest/api/token`, { method: 'PUT', headers })).text();
};

interface Answer {
  readonly status: number;
  readonly keyId: string;
}

const askImds = async (url: string): Promise<Answer> => {
  const headers = { 'x-aws-ec2-metadata-token': await putToken(url) };
  const answer = await fetch(`${url}${list}emulator`, { headers });
  return {
    status: answer.status,
    keyId: ((await answer.json()) as { AccessKeyId?: string }).AccessKeyId ?? '',
  };
};

/** Asks until an answer is as it should be; the milliseconds that took. */
const until = async (url: string, isRight: (answer: Answer) => boolean): Promise<number> => {
  const began = Date.now();
  while (!isRight(await askImds(url))) await sleep(100);
  return Date.now() - began;
};

/** However it ends. */
const gone = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.resume().once('close', resolve));

describe('serve, when things go wrong', () => {
  let folder: string;
  let pki: PkiFiles;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rolesanywhere serve-'));
    pki = await writePki(folder);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  const startService = (...options: readonly string[]): Promise<EmulatorProcess> =>
    startEmulatorProcess(['--trust-anchor', pki.ca, ...options]);

  const wordsFor = (service: EmulatorProcess, pair: KeyPairFiles): string[] => [
    ...sessionWords(service, pair).slice(1),
    ...['--port', '0'],
  ];

  it('CH#200: hands out the last good credentials through an outage, then says so, and recovers within 20 s', async () => {
    const service = await startService('--session-ttl', '6');
    await using serve = await startServe(wordsFor(service, pki.ec));
    const { port } = new URL(service.endpoint);
    await service.close();
    const before = await askImds(serve.name);
    expect(before.status).toBe(200);

    // In its place, one that breaks off every connection, and counts.
    const attempts: number[] = [];
    const broken = createServer((socket) => {
      attempts.push(Date.now());
      socket.resetAndDestroy();
    }).listen(Number(port), '127.0.0.1');
    await once(broken, 'listening');
    // Until it says 503 the answer is 200, and never anything else.
    await until(serve.name, (answer) => {
      expect(answer).toEqual(answer.status === 200 ? before : { status: 503, keyId: '' });
      return answer.status === 503;
    });
    const health = await fetch(`${serve.name}/healthz`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ reason: { code: 'SERVICE_UNREACHABLE' } });
    await sleep(5000);
    for (const [index, at] of attempts.entries()) {
      // Two a second, however many ask; timers may be some milliseconds early.
      expect((attempts[index + 2] ?? Number.POSITIVE_INFINITY) - at).toBeGreaterThan(950);
    }
    broken.close();
    await once(broken, 'close');
    const again = await startService('--port', port);
    try {
      expect(await until(serve.name, ({ status }) => status === 200)).toBeLessThan(20_000);
      expect(serve.child.exitCode).toBeNull();
    } finally {
      await again.close();
    }
  });

  it('CH#64: uses a pair that Kubernetes swapped, RSA for EC, within 10 s, and reports one that does not match', async () => {
    const service = await startService();
    const mounted = join(folder, 'secret');
    await mkdir(mounted);
    /** As the kubelet does it: a new folder, and one rename of the link to it. */
    const mount = async (name: string, { certificate, key }: KeyPairFiles): Promise<void> => {
      await mkdir(join(mounted, name));
      await writeFile(join(mounted, name, 'tls.crt'), await readFile(certificate));
      await writeFile(join(mounted, name, 'tls.key'), await readFile(key), { mode: 0o600 });
      await symlink(name, join(mounted, '..data_tmp'));
      await rename(join(mounted, '..data_tmp'), join(mounted, '..data'));
    };
    const pair = { certificate: join(mounted, 'tls.crt'), key: join(mounted, 'tls.key') };
    await mount('..1', pki.rsa);
    await symlink('..data/tls.crt', pair.certificate);
    await symlink('..data/tls.key', pair.key);
    try {
      await using serve = await startServe(wordsFor(service, pair));
      const before = await askImds(serve.name);
      await mount('..2', pki.ec);
      expect(await until(serve.name, ({ keyId }) => keyId !== before.keyId)).toBeLessThan(10_000);
      expect((await service.output()).trim().split('\n').at(-1)).toContain('"ok":true');

      const good = await askImds(serve.name);
      await mount('..3', { certificate: pki.rsa.certificate, key: pki.ec.key });
      await serve.logged('does not belong');
      expect((await askImds(serve.name)).status).toBe(200);
      await mount('..4', pki.rsa);
      const { keyId } = await askImds(serve.name);
      expect(
        await until(serve.name, (answer) => answer.keyId !== keyId && answer.keyId !== good.keyId),
      ).toBeLessThan(10_000);
    } finally {
      await service.close();
    }
  });

  it('goes on while its token is away, and signs again when it is back', async () => {
    await using hsm = await makeSoftHsm();
    const authority = makeAuthority();
    const token = await hsm.makeToken('kept');
    await token.importPair(issue(authority), { id: '01', label: 'leaf' });
    const file = (name: string): string => join(hsm.directory, name);
    await writeFile(file('ca.pem'), authority.certificatePem);
    const service = await startEmulatorProcess(['--trust-anchor', file('ca.pem')]);
    const words = [
      ...wordsFor(service, { certificate: token.uri(), key: token.uri() }),
      ...['--pkcs11-lib', await buildWrapper(), '--key-password-from', 'env:PIN'],
    ];
    const env = { ...hsm.env, PIN: '1234', WRAPPER_MODULE: softHsmModule, WRAPPER_AWAY: file('away') };
    try {
      await using serve = await startServe(words, { env });
      const before = await askImds(serve.name);
      await writeFile(file('away'), '');
      serve.child.kill('SIGHUP');
      await serve.logged('warning: no fresh credentials');
      expect(await askImds(serve.name)).toEqual(before);
      await rm(file('away'));
      expect(await until(serve.name, ({ keyId }) => keyId !== before.keyId)).toBeLessThan(20_000);
      expect(serve.child.exitCode).toBeNull();
    } finally {
      await service.close();
    }
  });

  it.each<[string, () => string[]]>([
    ['its own socket', () => []],
    ["systemd's socket", () => withSocket('AF_INET', "('127.0.0.1', 0)")],
  ])('keeps descriptors for its own work, however many connections are held: on %s', async (_, launcher) => {
    const service = await startService();
    await using serve = await startServe(wordsFor(service, pki.ec), {
      // What Linux grants where nobody says otherwise.
      launcher: ['sh', '-c', 'ulimit -n 4096 && exec "$@"', 'sh', ...launcher()],
    });
    const port = Number(new URL(serve.name).port);
    const sockets = Array.from({ length: 4200 }, () =>
      connect(port, '127.0.0.1').on('error', () => undefined),
    );
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      const descriptors = async (): Promise<number> =>
        (await readdir(`/proc/${serve.child.pid ?? 0}/fd`)).length;
      // Until it has taken what it takes.
      let held = 0;
      for (let now = await descriptors(); now > held; now = await descriptors()) {
        held = now;
        await sleep(300);
      }
      expect(held).toBeGreaterThan(1000);
      expect(held).toBeLessThan(3000);
      const from = serve.log().length;
      serve.child.kill('SIGHUP');
      await serve.logged('credentials', from);
      expect(serve.log().slice(from)).toContain('note: credentials until');
    } finally {
      for (const socket of sockets) socket.destroy();
      await service.close();
    }
  });

  describe('under load', () => {
    let service: EmulatorProcess;
    let serve: ServeProcess;
    let port: number;

    beforeAll(async () => {
      service = await startService();
      serve = await startServe(wordsFor(service, pki.ec));
      port = Number(new URL(serve.name).port);
    });

    afterAll(async () => {
      await serve[Symbol.asyncDispose]();
      await service.close();
    });

    /** Resident memory of its own in MiB, without what it shares with the page cache. */
    const memory = async (): Promise<number> => {
      const status = await readFile(`/proc/${serve.child.pid ?? 0}/status`, 'utf8');
      return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
    };

    it('keeps its memory flat over 10,000 tokens, forgets the oldest and logs none', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      const put = (): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' };
          const call = request(
            `${serve.name}/latest/api/token`,
            { method: 'PUT', agent, headers },
            (answer) => {
              answer.resume().on('end', () => {
                resolve(answer.statusCode);
              });
            },
          );
          call.on('error', reject).end();
        });
      const putMany = async (count: number): Promise<void> => {
        for (let done = 0; done < count; done += 100) {
          const statuses = await Promise.all(Array.from({ length: 100 }, put));
          expect(new Set(statuses)).toEqual(new Set([200]));
        }
      };
      const first = await putToken(serve.name);
      // The engine compiles and its heap finds its size, sooner or later: what leaks grows in every round.
      const growth: number[] = [];
      let before = await memory();
      do {
        await putMany(10_000);
        const now = await memory();
        growth.push(now - before);
        before = now;
      } while ((growth.at(-1) ?? 0) >= 8 && growth.length < 6);
      expect(Math.min(...growth)).toBeLessThan(8);
      agent.destroy();
      const old = await fetch(serve.name + list, { headers: { 'x-aws-ec2-metadata-token': first } });
      expect(old.status).toBe(401);
      expect(serve.log()).not.toContain(first);
    });

    it('answers 1,000 connections at once, and others while they stay there idle', async () => {
      const token = await putToken(serve.name);
      const sockets = await Promise.all(
        Array.from({ length: 1000 }, async () => {
          const socket = connect(port, '127.0.0.1');
          await once(socket, 'connect');
          return socket;
        }),
      );
      const answers = await Promise.all(
        sockets.map(async (socket) => {
          socket.write(
            `GET ${list} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-aws-ec2-metadata-token: ${token}\r\n\r\n`,
          );
          const [data] = (await once(socket, 'data')) as [Buffer];
          return data.toString().split('\r\n')[0];
        }),
      );
      expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200 OK']));
      const idle = Array.from({ length: 1000 }, () => connect(port, '127.0.0.1'));
      await Promise.all(idle.map((socket) => once(socket, 'connect')));
      const asked = Date.now();
      expect((await askImds(serve.name)).status).toBe(200);
      expect(Date.now() - asked).toBeLessThan(1000);
      for (const socket of [...sockets, ...idle]) expect(socket.readyState).toBe('open');
      for (const socket of idle) socket.destroy();
      for (const socket of sockets) socket.destroy();
    });

    /** Asks in whole requests and never reads: the milliseconds until it is cut off. */
    const deafClient = async (port: number): Promise<number> => {
      const began = Date.now();
      const socket: Socket = connect(port, '127.0.0.1').pause();
      socket.on('error', () => undefined);
      const ended = new Promise((resolve) => socket.once('close', resolve));
      const ask = 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
      // Their answers are more than the kernel holds for anybody.
      socket.write(ask.repeat(10_000));
      // Only who writes learns, while it does not read, that the other side has gone.
      const drip = setInterval(() => socket.write(ask), 2000);
      await ended;
      clearInterval(drip);
      return Date.now() - began;
    };

    it(
      'cuts off, after 30 s, those who never finish or never read, and answers others meanwhile',
      { timeout: 60_000 },
      async () => {
        const beginnings = [
          '',
          'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n',
          'PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\nx',
        ];
        await using activated = await startServe(wordsFor(service, pki.ec), {
          launcher: withSocket('AF_INET', "('127.0.0.1', 0)"),
        });
        const ports = [port, Number(new URL(activated.name).port)];
        const deaf = Promise.all(ports.map(deafClient));
        const began = Date.now();
        const slow = Array.from({ length: 300 }, async (_, index) => {
          const socket: Socket = connect(ports[index % 2] ?? 0, '127.0.0.1').on('error', () => undefined);
          socket.write(beginnings[index % beginnings.length] ?? '');
          // A byte now and then does not save it.
          const drip = setInterval(() => socket.write('x'), 2000);
          await gone(socket);
          clearInterval(drip);
          return Date.now() - began;
        });
        const ended = Promise.all(slow);
        const oversized = async (): Promise<void> => {
          const socket = connect(port, '127.0.0.1').on('error', () => undefined);
          socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`);
          await gone(socket);
          const body = connect(port, '127.0.0.1').on('error', () => undefined);
          body.write(
            `PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n\r\n`,
          );
          body.write(Buffer.alloc(1_000_000));
          await gone(body);
        };
        for (let second = 0; second < 3; second++) {
          await oversized();
          const asked = Date.now();
          expect((await askImds(serve.name)).status).toBe(200);
          expect(Date.now() - asked).toBeLessThan(1000);
        }
        const ages = await ended;
        // Looked at once a second, and noticed at the next drip.
        expect(Math.max(...ages)).toBeLessThan(30_000 + 1000 + 2000 + 5000);
        expect(Math.max(...(await deaf))).toBeLessThan(40_000);
      },
    );
  });
});
