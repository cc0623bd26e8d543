import { createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';

import { createSession, prepareSession } from '../../src/aws/create-session.ts';
import { openIdentity } from '../../src/identity/identity.ts';
import type { Exchange } from '../../src/runtime/exchange.ts';
import { canonicalRequest, stringToSign } from '../../src/sigv4/x509.ts';

const sent: Exchange[] = [];
vi.mock('../../src/runtime/transport.ts', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  exchange: (request: Exchange) => {
    sent.push(request);
    return Promise.reject(Object.assign(new Error('nothing is sent here'), { code: 'ENOTFOUND' }));
  },
}));

const now = new Date('2026-01-02T03:04:05Z');
const arns = {
  trustAnchorArn:
    'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-2222-4333-8444-555555555555',
  profileArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/66666666-7777-4888-9999-000000000000',
  roleArn: 'arn:aws:iam::123456789012:role/backup',
};

/** As the page prints it: long lines are cut. */
const cut = (line: string): string => (line.length > 120 ? `${line.slice(0, 119)}…` : line);

// docs/how-it-works.md shows one request with a key, a certificate and a clock that stand still.
describe('docs/how-it-works.md shows', () => {
  let blocks: string[];
  let request: Exchange;
  let canonical: string;

  beforeAll(async () => {
    const page = await readFile('docs/how-it-works.md', 'utf8');
    blocks = [...page.matchAll(/^```text\n(.*?)^```$/gms)].map(([, text = '']) => text);
    const identity = await openIdentity({
      certificate: 'fixtures/leaf/rsa-2048.pem',
      privateKey: 'fixtures/leaf/rsa-2048.pkcs8.pem',
      now: () => now,
    });
    await createSession(identity, prepareSession({ ...arns, durationSeconds: 3600 }), {
      proxy: 'none',
      timeoutSeconds: 1,
      now: () => now,
    }).catch(() => undefined);
    const [first] = sent;
    if (first === undefined) throw new Error('no request was made');
    request = first;
    const { authorization = '', ...others } = request.headers;
    const signed = /SignedHeaders=([^,]*)/.exec(authorization)?.[1]?.split(';') ?? [];
    canonical = canonicalRequest({
      method: request.method,
      path: request.url.pathname,
      query: request.url.search.slice(1),
      headers: Object.entries(others).filter(([name]) => signed.includes(name)),
      body: request.body,
    });
  });

  const expectBlock = (index: number, lines: string[]): void => {
    expect(blocks[index]).toBe(`${lines.map(cut).join('\n')}\n`);
  };

  it('the request as it is sent', () => {
    expectBlock(0, [
      `${request.method} ${request.url.pathname}${request.url.search} HTTP/1.1`,
      ...Object.entries(request.headers).map(([name, value]) =>
        name === 'user-agent' ? `${name}: rolesanywhere/0.1.0` : `${name}: ${value}`,
      ),
      '',
      ...request.body.replace(/(?<=[{,])"/g, '\n"').split('\n'),
    ]);
  });

  it('its canonical request', () => {
    expectBlock(1, canonical.split('\n'));
  });

  it('the string to sign, which the signature verifies', () => {
    const text = stringToSign(
      'AWS4-X509-RSA-SHA256',
      { region: 'us-east-1', service: 'rolesanywhere', now },
      canonical,
    );
    expectBlock(2, text.split('\n'));
    const signature = /Signature=([0-9a-f]+)$/.exec(request.headers['authorization'] ?? '')?.[1] ?? '';
    const x509 = Buffer.from(request.headers['x-amz-x509'] ?? '', 'base64');
    const pem = `-----BEGIN CERTIFICATE-----\n${x509.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(verify('sha256', Buffer.from(text), createPublicKey(pem), Buffer.from(signature, 'hex'))).toBe(
      true,
    );
  });
});
