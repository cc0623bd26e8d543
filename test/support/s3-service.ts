import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makeAccount } from '../../src/emulator/account.ts';
import { createSession } from '../../src/emulator/create-session.ts';
import { parseFaults } from '../../src/emulator/faults.ts';
import { verifyHmacSignature } from '../../src/emulator/hmac-signature.ts';
import { restJsonError } from '../../src/emulator/json-protocol.ts';
import { makeServer } from '../../src/emulator/server.ts';
import { Sessions } from '../../src/emulator/sessions.ts';
import { readAnchors } from '../../src/emulator/trust.ts';
import { loadX509 } from '../../src/emulator/x509.ts';

export interface S3Service extends AsyncDisposable {
  readonly endpoint: string;
}

/**
 * Roles Anywhere and, at `GET /`, an S3 with the given buckets, which lists them to whoever signs with a session that
 * was opened here.
 */
export async function startS3Service(trustAnchor: string, buckets: readonly string[]): Promise<S3Service> {
  const x509 = await loadX509();
  const anchors = await readAnchors(x509, { trustAnchors: [trustAnchor] }, new Date());
  const sessions = new Sessions();
  const account = makeAccount(anchors, []);
  const list = buckets.map((name) => `<Bucket><Name>${name}</Name></Bucket>`).join('');
  const server = makeServer({
    tls: undefined,
    faults: parseFaults([]),
    now: () => new Date(),
    onRequest: () => undefined,
    route: (request) => ({
      name: request.path,
      run: (now) => {
        if (request.path === '/sessions') {
          const service = { x509, account, sessions, sessionTtlSeconds: undefined };
          const { answer } = createSession(service, request, now);
          return { status: 201, headers: {}, body: JSON.stringify(answer), details: {} };
        }
        verifyHmacSignature(sessions, request, 's3', now);
        const body = `<ListAllMyBucketsResult><Buckets>${list}</Buckets></ListAllMyBucketsResult>`;
        return { status: 200, headers: { 'content-type': 'application/xml' }, body, details: {} };
      },
      fail: restJsonError,
    }),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
