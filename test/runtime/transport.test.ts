import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { explainFailure } from '../../src/aws/failures.ts';
import type { Exchange } from '../../src/runtime/exchange.ts';
import { exchange } from '../../src/runtime/transport.ts';
import { testsExecutable } from '../support/executable.ts';

// The executable's transport is held by these tests too, in the project `exe`.

/** The error for a time limit: Bun does not tell when a connection stands, and has one limit for both. */
const overdue = (code: 'CONNECT_TIMEOUT' | 'ANSWER_TIMEOUT') => ({
  code: testsExecutable ? 'NO_ANSWER' : code,
});

/** A server that does with a connection what it is told, and nothing else. */
async function bare(
  handle: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly authority: string }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    authority: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function request(url: string, more: Partial<Exchange> = {}): Exchange {
  return {
    method: 'POST',
    url: new URL(url),
    headers: { host: new URL(url).host, 'content-length': '2' },
    body: '{}',
    verifyTls: true,
    connectTimeout: 5000,
    answerTimeout: 5000,
    maxAnswerBytes: 1024,
    timeLeft: 5000,
    ...more,
  };
}

describe('exchange', () => {
  test('gives status, headers by lower-case name and the body', async () => {
    const text =
      'HTTP/1.1 299 Odd\r\nX-One: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 6\r\n\r\nb\u00f6dy!';
    await using server = await bare((socket) => void socket.once('data', () => socket.write(text)));
    const answer = await exchange(request(`http://${server.authority}/`));
    expect(answer).toMatchObject({ status: 299, body: 'b\u00f6dy!' });
    expect(answer.headers).toMatchObject({ 'x-one': '1', 'set-cookie': 'a, b' });
  });

  test('a connection whose TLS never stands is given up', async () => {
    await using server = await bare(() => undefined);
    const run = exchange(request(`https://${server.authority}/`, { connectTimeout: 30, answerTimeout: 40 }));
    await expect(run).rejects.toMatchObject(overdue('CONNECT_TIMEOUT'));
  });

  test('a silent server is given up', async () => {
    await using server = await bare(() => undefined);
    const run = exchange(request(`http://${server.authority}/`, { answerTimeout: 30 }));
    await expect(run).rejects.toMatchObject(overdue('ANSWER_TIMEOUT'));
  });

  test('an answer that does not end is given up', async () => {
    await using server = await bare((socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\nhalf'));
    const run = exchange(request(`http://${server.authority}/`, { answerTimeout: 30 }));
    await expect(run).rejects.toMatchObject(overdue('ANSWER_TIMEOUT'));
  });

  test('an answer of exactly the limit is taken, one byte more is not', async () => {
    for (const [size, taken] of [
      [1024, true],
      [1025, false],
    ] as const) {
      const text = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
      await using server = await bare((socket) => void socket.once('data', () => socket.write(text)));
      const run = exchange(request(`http://${server.authority}/`));
      if (taken) await expect(run).resolves.toMatchObject({ status: 200 });
      else await expect(run).rejects.toMatchObject({ code: 'ANSWER_TOO_LARGE' });
    }
  });

  test.each([
    ['without a word', ''],
    ['after switching protocols', 'HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
  ])('a server that hangs up %s', async (_, text) => {
    await using server = await bare((socket) => void socket.once('data', () => socket.end(text)));
    const run = exchange(request(`http://${server.authority}/`));
    await expect(run).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test.each([
    ['before the connection stands', 'https', undefined],
    ['before the answer', 'http', ''],
    ['within the answer', 'http', 'HTTP/1.1 200 OK\r\n\r\nhalf'],
  ])('the time for all of it may end %s', async (_when, scheme, text) => {
    await using server = await bare((socket) => text !== undefined && socket.write(text));
    const run = exchange(request(`${scheme}://${server.authority}/`, { timeLeft: 30 }));
    await expect(run).rejects.toMatchObject({ code: 'OUT_OF_TIME' });
  });

  test('an answer that breaks off is no answer', async () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf';
    await using server = await bare((socket) => void socket.once('data', () => socket.end(text)));
    await expect(exchange(request(`http://${server.authority}/`))).rejects.toMatchObject({
      code: 'ECONNRESET',
    });
  });

  test('headers of 1 MB end the exchange', async () => {
    const text = `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(1_000_000)}\r\n\r\n`;
    await using server = await bare((socket) => void socket.once('data', () => socket.write(text)));
    await expect(exchange(request(`http://${server.authority}/`))).rejects.toMatchObject({
      code: 'HPE_HEADER_OVERFLOW',
    });
  });
});

describe('exchange through a proxy', () => {
  const through = (server: { readonly authority: string }): Partial<Exchange> => ({
    proxy: new URL(`http://${server.authority}`),
  });
  const secure = 'https://service.example/';
  const plain = 'http://service.example/';

  test.each([secure, plain])('a silent one is given up: %s', async (url) => {
    await using server = await bare(() => undefined);
    const limits = { connectTimeout: 30, answerTimeout: 30 };
    const run = exchange(request(url, { ...through(server), ...limits }));
    await expect(run).rejects.toMatchObject(overdue(url === secure ? 'CONNECT_TIMEOUT' : 'ANSWER_TIMEOUT'));
  });

  test('a service behind it whose TLS never stands is given up', async () => {
    await using server = await bare(
      (socket) => void socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n')),
    );
    const run = exchange(request(secure, { ...through(server), connectTimeout: 50, answerTimeout: 60 }));
    await expect(run).rejects.toMatchObject(overdue('CONNECT_TIMEOUT'));
  });

  test('an answer that drips is given up, as it is without a proxy', async () => {
    await using server = await bare((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const timer = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => {
        clearInterval(timer);
      });
    });
    for (const [url, more] of [
      [plain, through(server)],
      [`http://${server.authority}/`, {}],
    ] as const) {
      const run = exchange(request(url, { ...more, answerTimeout: 60 }));
      await expect(run).rejects.toMatchObject(overdue('ANSWER_TIMEOUT'));
    }
  });

  test.each<[string, (socket: Socket) => void]>([
    ['at once', (socket) => void socket.end()],
    ['at once, rudely', (socket) => void socket.resetAndDestroy()],
    ['after it was asked', (socket) => void socket.once('data', () => socket.end())],
    ['after it was asked, rudely', (socket) => void socket.once('data', () => socket.resetAndDestroy())],
    ['in the middle of its answer', (socket) => void socket.once('data', () => socket.end('HTTP/1.1 2'))],
    [
      'after switching protocols',
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n')),
    ],
  ])('one that hangs up %s is asked once', async (_, handle) => {
    for (const url of [secure, plain]) {
      let connections = 0;
      await using server = await bare((socket) => {
        connections += 1;
        handle(socket);
      });
      const run = exchange(request(url, { ...through(server), connectTimeout: 500 }));
      await expect(run, url).rejects.toThrow(/^(?!CONNECT_TIMEOUT|NO_ANSWER)/u);
      expect(connections, url).toBe(1);
    }
  });

  test.each(['SSH-2.0-OpenSSH_9.2\r\n', '<html>Please log in</html>'])(
    'one that speaks something else, %j, is asked once',
    async (words) => {
      for (const url of [secure, plain]) {
        let connections = 0;
        await using server = await bare((socket) => {
          connections += 1;
          socket.once('data', () => socket.end(words));
        });
        const run = exchange(request(url, { ...through(server), connectTimeout: 500 }));
        const error: unknown = await run.catch((error: unknown) => error);
        const { proxy } = through(server);
        expect(explainFailure(error, new URL(url), proxy).error.code).toBe('SERVICE_FAILED');
        expect(connections, url).toBe(1);
      }
    },
  );

  test.each([302, 403, 407, 502])('its refusal is told: %d', async (status) => {
    await using server = await bare(
      (socket) => void socket.once('data', () => socket.end(`HTTP/1.1 ${status} X\r\n\r\n`)),
    );
    const run = exchange(request(secure, { ...through(server), connectTimeout: 500 }));
    await expect(run).rejects.toMatchObject({ code: 'PROXY_REFUSED', status });
  });
});
