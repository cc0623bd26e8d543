import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseFaults } from '../../src/emulator/faults.ts';
import type { RequestLogEntry } from '../../src/emulator/request-log.ts';
import { restJsonError } from '../../src/emulator/json-protocol.ts';
import { makeServer } from '../../src/emulator/server.ts';
import { parseAnswer, sendBytes } from './support/exchange.ts';
import { issue, issueAuthority } from './support/pki.ts';
import { TestService } from './support/service.ts';

const authority = issueAuthority('Root');
const leaf = issue({ by: authority });

let service: TestService;
beforeAll(async () => {
  service = await TestService.start([authority]);
});
afterAll(async () => {
  // Whatever it met, it still serves.
  expect((await service.createSession({ leaf })).status).toBe(201);
  await service[Symbol.asyncDispose]();
});

const raw = async (bytes: string | Buffer): Promise<ReturnType<typeof parseAnswer>> =>
  parseAnswer(await sendBytes(service.emulator.endpoint, bytes));

describe('hostile input is answered in the shape of the service', () => {
  test.each<[string, string | Buffer, number, string]>([
    [
      'bytes that are no HTTP',
      Buffer.of(0x16, 0x03, 0x01, 0x00, 0xff, 0x0a, 0x0d, 0x0a),
      400,
      'BadRequestException',
    ],
    ['an unknown method', 'FROB / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'BadRequestException'],
    [
      'an unknown path',
      'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'a method that nothing takes',
      'DELETE /sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'a path that only ends like it',
      'POST /mysessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'the asterisk',
      'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'broken escapes',
      'GET /%zz?%&=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'a megabyte of header',
      `POST /sessions HTTP/1.1\r\nHost: x\r\nX-Amz-X509: ${'A'.repeat(1_000_000)}\r\n\r\n`,
      431,
      'RequestHeaderFieldsTooLargeException',
    ],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 404, 'UnknownOperationException'],
    ['an old protocol', 'GET / HTTP/1.0\r\n\r\n', 404, 'UnknownOperationException'],
    [
      'a strange expectation',
      'GET / HTTP/1.1\r\nHost: x\r\nExpect: much\r\nConnection: close\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'another protocol to change to',
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
      404,
      'UnknownOperationException',
    ],
    [
      'two lengths',
      'POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'BadRequestException',
    ],
    [
      'a length that is none',
      'POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: much\r\n\r\n',
      400,
      'BadRequestException',
    ],
    [
      'a body too large',
      `POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(300_000)}`,
      413,
      'RequestEntityTooLargeException',
    ],
    [
      'a body said to be larger',
      `POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n${'x'.repeat(300_000)}`,
      413,
      'RequestEntityTooLargeException',
    ],
  ])('%s', async (_, bytes, status, code) => {
    const seen = service.log.length;
    const answer = await raw(bytes);
    expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([status, code]);
    expect(JSON.parse(answer.body)).toEqual({ message: expect.any(String) as string });
    expect(answer.headers['date']).toBe('Mon, 15 Jun 2026 12:00:00 GMT');
    expect(service.log.slice(seen)).toMatchObject([
      { ok: false, status, requestId: answer.headers['x-amzn-requestid'], why: expect.any(String) as string },
    ]);
  });

  test('a tunnel, by closing the connection', async () => {
    expect(await sendBytes(service.emulator.endpoint, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
  });

  test('a client that goes away in the middle', async () => {
    const seen = service.log.length;
    const { hostname, port } = new URL(service.emulator.endpoint);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write('POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf', () => {
          setTimeout(() => {
            socket.resetAndDestroy();
            resolve();
          }, 20);
        });
      });
    });
    await expect.poll(() => service.log.slice(seen)).toMatchObject([{ ok: false, status: 0 }]);
  });

  test('random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        // The blank line ends whatever the bytes began; before it, something that is more than blank lines.
        const answer = await raw(Buffer.concat([bytes, Buffer.from('?\r\n\r\n')]));
        expect(answer.status).toBeGreaterThanOrEqual(400);
      }),
      { numRuns: 60 },
    );
  });

  test('flipped bits in the certificate', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(leaf.der.length * 8 - 1), async (bit) => {
        const der = Buffer.from(leaf.der);
        der.writeUInt8(der.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const answer = await service.createSession({ leaf: { ...leaf, der } });
        expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([403, 'AccessDeniedException']);
        expect(answer.why).not.toContain('defect');
      }),
      { numRuns: 150 },
    );
  });

  test('spliced and cut certificates', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(leaf.der.length),
        fc.uint8Array({ maxLength: 20 }),
        fc.nat(40),
        async (place, insert, cut) => {
          const der = Buffer.concat([leaf.der.subarray(0, place), insert, leaf.der.subarray(place + cut)]);
          fc.pre(!der.equals(leaf.der));
          const answer = await service.createSession({ leaf: { ...leaf, der } });
          expect([answer.status, answer.why.includes('defect')]).toEqual([403, false]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('any Authorization header', async () => {
    const request = service.request({ leaf });
    const genuine = request.headers.find(([name]) => name === 'Authorization')?.[1] ?? '';
    const words = fc.constantFrom(
      ...genuine.split(/(?<=[ ,/=;])/),
      'Credential=',
      ', ',
      '/',
      ' ',
      '=',
      '\t',
      '\u00e4',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 14 }), async (parts) => {
        const value = parts.join('');
        fc.pre(value !== genuine);
        const headers = request.headers.map(
          ([name, old]) => [name, name === 'Authorization' ? value : old] as const,
        );
        const answer = await service.send({ ...request, headers });
        expect([answer.status, answer.why.includes('defect')]).toEqual([403, false]);
      }),
      { numRuns: 100 },
    );
  });
});

test('many requests at once are all answered', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => service.createSession({ leaf })));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
  const keys = answers.map(({ body }) => /"accessKeyId":"(\w+)"/.exec(body)?.[1]);
  expect(new Set(keys).size).toBe(40);
});

test('connections are kept alive', async () => {
  const get = (close: string): string => `GET /a HTTP/1.1\r\nHost: x\r\n${close}\r\n`;
  const text = await sendBytes(service.emulator.endpoint, get('') + get('Connection: close\r\n'));
  expect(text.match(/HTTP\/1.1 404/g)).toHaveLength(2);
});

describe('the server', () => {
  async function listening(
    options: Partial<Parameters<typeof makeServer>[0]>,
    use: (endpoint: string, log: RequestLogEntry[]) => Promise<void>,
    adjust: (server: ReturnType<typeof makeServer>) => void = () => undefined,
  ): Promise<void> {
    const log: RequestLogEntry[] = [];
    const server = makeServer({
      tls: undefined,
      faults: parseFaults([]),
      now: () => new Date(),
      onRequest: (entry) => log.push(entry),
      route: () => ({
        name: 'Broken',
        run: () => {
          throw new TypeError('of our own making');
        },
        fail: restJsonError,
      }),
      ...options,
    });
    adjust(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      await use(`http://127.0.0.1:${port ?? 0}`, log);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
  const get = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

  test('answers 500 to its own defects, logs them and goes on', async () => {
    await listening({}, async (endpoint, log) => {
      for (const round of [1, 2]) {
        const answer = parseAnswer(await sendBytes(endpoint, get));
        expect([answer.status, answer.body]).toEqual([500, '{"message":"Internal server error"}']);
        expect(log).toHaveLength(round);
      }
      expect(log[0]).toMatchObject({
        ok: false,
        status: 500,
        why: expect.stringContaining('of our own making') as string,
      });
    });
  });

  test('does not fall with its listener', async () => {
    const onRequest = (): never => {
      throw new Error('the log is full');
    };
    await listening({ onRequest }, async (endpoint) => {
      for (let round = 0; round < 2; round++) {
        expect(parseAnswer(await sendBytes(endpoint, get)).status).toBe(500);
      }
    });
  });

  test('cuts slow clients off', async () => {
    await listening(
      {},
      async (endpoint, log) => {
        const answer = parseAnswer(await sendBytes(endpoint, 'POST /sessions HTTP/1.1\r\nHost: x\r\n'));
        expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([408, 'RequestTimeoutException']);
        expect(log).toMatchObject([{ ok: false, status: 408 }]);
      },
      (server) => {
        server.headersTimeout = 100;
        server.requestTimeout = 200;
      },
    );
  });
});
