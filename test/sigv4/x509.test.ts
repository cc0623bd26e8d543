import { createPrivateKey, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Certificate } from '../../src/certificate/certificate.ts';
import type { Identity } from '../../src/identity/identity.ts';
import {
  amzDate,
  authorizationHeader,
  canonicalRequest,
  credentialScope,
  signedHeaders,
  signWithCertificate,
  stringToSign,
  type SignableRequest,
} from '../../src/sigv4/x509.ts';

function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8'));
}

interface CanonicalCase extends Partial<SignableRequest> {
  name: string;
  request?: SignableRequest;
  canonical?: string[];
  stringToSign?: string[];
  canonicalPath?: string;
  canonicalQuery?: string;
  canonicalHeaders?: string[];
  bodyHash?: string;
}

const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe("AWS's SigV4 test suite", () => {
  const { cases } = vectors('canonical-requests') as { cases: CanonicalCase[] };

  test.each(cases.filter((one) => one.request === undefined))('$name', (one) => {
    const { path = '/', query = '', headers = [], body = '' } = one;
    const names = [...new Set(headers.map(([name]) => name.toLowerCase()))].sort();
    expect(canonicalRequest({ method: 'GET', path, query, headers, body }).split('\n')).toEqual([
      'GET',
      one.canonicalPath ?? '/',
      one.canonicalQuery ?? '',
      ...(one.canonicalHeaders ?? []),
      '',
      names.join(';'),
      one.bodyHash ?? emptyHash,
    ]);
  });

  test('the whole way to the string to sign, as AWS publishes it', () => {
    const { request, canonical = [], stringToSign: lines = [] } = cases[0] ?? expect.fail('no case');
    if (request === undefined) expect.fail('no request');
    const now = new Date('2015-08-30T12:36:00Z');
    const text = canonicalRequest({
      ...request,
      headers: [...request.headers, ['X-Amz-Date', amzDate(now)]],
    });
    expect(text.split('\n')).toEqual([...canonical, emptyHash]);
    const scope = { region: 'us-east-1', service: 'service', now };
    expect(stringToSign('AWS4-HMAC-SHA256', scope, text).split('\n')).toEqual(lines);
  });
});

interface SignedCase {
  name: string;
  key: string;
  certificate: string;
  chain: string[];
  serial: string;
  region: string;
  now: string;
  request: SignableRequest;
  canonical: string[];
  stringToSign: string[];
  signature: string;
  credential: string;
  signedHeaders: string;
}

function certificate(pem: string): Certificate {
  const { raw, serialNumber } = new X509Certificate(pem);
  return { der: raw, serialNumber: BigInt(`0x${serialNumber}`) } as unknown as Certificate;
}

function identity(one: SignedCase): Identity {
  const key = createPrivateKey(one.key);
  return {
    certificate: certificate(one.certificate),
    chain: one.chain.map(certificate),
    signer: {
      keyType: key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec',
      publicKey: new Uint8Array(),
      sign: (message) => Promise.resolve(sign('sha256', message, key)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

describe('whole requests, signed once by OpenSSL', () => {
  const { cases } = vectors('signed-requests') as { cases: SignedCase[] };

  test.each(cases)('$name', async (one) => {
    const scope = { region: one.region, service: 'rolesanywhere', now: new Date(one.now) };
    const added = await signWithCertificate(one.request, identity(one), scope);
    const headers = [...one.request.headers, ...added.filter(([name]) => name !== 'authorization')];

    expect(canonicalRequest({ ...one.request, headers }).split('\n')).toEqual(one.canonical);
    expect(signedHeaders(headers)).toBe(one.signedHeaders);
    const algorithm = one.stringToSign[0] ?? '';
    const text = stringToSign(algorithm, scope, one.canonical.join('\n'));
    expect(text.split('\n')).toEqual(one.stringToSign);

    const authorization = added.find(([name]) => name === 'authorization')?.[1] ?? '';
    const [before, signature = ''] = authorization.split(', Signature=');
    expect(before).toBe(`${algorithm} Credential=${one.credential}, SignedHeaders=${one.signedHeaders}`);
    const key = createPublicKey(one.key);
    for (const hex of [one.signature, signature]) {
      expect(verify('sha256', Buffer.from(text), key, Buffer.from(hex, 'hex'))).toBe(true);
    }
    if (key.asymmetricKeyType === 'rsa') expect(signature).toBe(one.signature);
  });
});

describe('the parts', () => {
  const scope = { region: 'eu-west-1', service: 'rolesanywhere', now: new Date('2026-01-02T03:04:05.678Z') };

  test('the date has no fraction and no punctuation', () => {
    expect(amzDate(scope.now)).toBe('20260102T030405Z');
  });

  test('the scope', () => {
    expect(credentialScope(scope)).toBe('20260102/eu-west-1/rolesanywhere/aws4_request');
  });

  test('a serial number of 20 bytes is written in decimal, digit by digit', () => {
    const leaf = { serialNumber: 0x7fffffffffffffffffffffffffffffffffffffffn };
    const header = authorizationHeader('ALG', scope, leaf, 'host', Uint8Array.of(0xab, 0x01));
    expect(header).toBe(
      `ALG Credential=730750818665451459101842416358141509827966271487/${credentialScope(scope)}, SignedHeaders=host, Signature=ab01`,
    );
  });

  test('the headers that authenticate are themselves signed, the chain among them only where there is one', async () => {
    const { cases } = vectors('signed-requests') as { cases: SignedCase[] };
    for (const one of cases) {
      const added = await signWithCertificate(one.request, identity(one), scope);
      const authorization = Object.fromEntries(added)['authorization'];
      const signed = /SignedHeaders=([^,]*)/u.exec(authorization ?? '')?.[1]?.split(';') ?? [];
      expect(signed).toEqual(expect.arrayContaining(['host', 'x-amz-date', 'x-amz-x509']));
      expect(signed.includes('x-amz-x509-chain')).toBe(one.chain.length > 0);
      expect(signed).not.toContain('authorization');
    }
  });
});
