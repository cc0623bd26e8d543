import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a scripted TPM does with a command: answers with these bytes, says nothing, or hangs up. */
export type Reaction = Uint8Array | 'silence' | 'hang up';

export interface TpmServer extends AsyncDisposable {
  /** A unix socket. */
  readonly socket: string;
  /** `host:port` of the same server. */
  readonly address: string;
}

/** Serves the plain TPM protocol, one command at a time a connection. */
export async function serveTpm(
  react: (command: Buffer, connection: number) => Reaction | Promise<Reaction>,
): Promise<TpmServer> {
  const directory = await mkdtemp(join(tmpdir(), 'tpm-'));
  const socket = join(directory, 'socket');
  const open = new Set<Socket>();
  let connections = 0;
  const onConnection = (client: Socket): void => {
    const connection = (connections += 1);
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => undefined);
    let received = Buffer.alloc(0);
    let turn = Promise.resolve();
    client.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 10 && received.length >= received.readUInt32BE(2)) {
        const size = received.readUInt32BE(2);
        const command = received.subarray(0, size);
        received = received.subarray(size);
        turn = turn.then(async () => {
          const reaction = await react(command, connection);
          if (reaction === 'hang up') client.destroy();
          else if (reaction !== 'silence') client.write(reaction);
        });
      }
    });
  };
  const unix = createServer(onConnection);
  const tcp = createServer(onConnection);
  await new Promise<void>((resolve) => unix.listen(socket, resolve));
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  return {
    socket,
    address: `127.0.0.1:${(tcp.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const client of open) client.destroy();
      for (const server of [unix, tcp]) await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true });
    },
  };
}

/** A response without sessions. */
export function response(code: number, body: Uint8Array = new Uint8Array(), tag = 0x8001): Buffer {
  const header = Buffer.alloc(10);
  header.writeUInt16BE(tag, 0);
  header.writeUInt32BE(10 + body.length, 2);
  header.writeUInt32BE(code, 6);
  return Buffer.concat([header, body]);
}
