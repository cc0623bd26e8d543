import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Exchange, exchange } from '../../src/runtime/transport.ts';

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
    signal: new AbortController().signal,
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
    const run = exchange(request(`https://${server.authority}/`, { connectTimeout: 30 }));
    await expect(run).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
  });

  test('a silent server is given up', async () => {
    await using server = await bare(() => undefined);
    const run = exchange(request(`http://${server.authority}/`, { answerTimeout: 30 }));
    await expect(run).rejects.toMatchObject({ code: 'ANSWER_TIMEOUT' });
  });

  test('an answer that does not end is given up', async () => {
    await using server = await bare((socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\nhalf'));
    const run = exchange(request(`http://${server.authority}/`, { answerTimeout: 30 }));
    await expect(run).rejects.toMatchObject({ code: 'ANSWER_TIMEOUT' });
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

  test('an aborted signal sends nothing', async () => {
    let connections = 0;
    await using server = await bare(() => (connections += 1));
    const run = exchange(request(`http://${server.authority}/`, { signal: AbortSignal.abort() }));
    await expect(run).rejects.toThrow();
    expect(connections).toBe(0);
  });

  test('headers of 1 MB end the exchange', async () => {
    const text = `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(1_000_000)}\r\n\r\n`;
    await using server = await bare((socket) => void socket.once('data', () => socket.write(text)));
    await expect(exchange(request(`http://${server.authority}/`))).rejects.toMatchObject({
      code: 'HPE_HEADER_OVERFLOW',
    });
  });
});
