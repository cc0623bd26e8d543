import { createHash, createPublicKey, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createSession,
  type PreparedSession,
  prepareSession,
  type SessionRequest,
} from '../../src/aws/create-session.ts';
import { failure } from './failure.ts';
import { localService, quick, vectorIdentity } from './local-service.ts';
import { testsExecutable } from '../support/executable.ts';

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_') || /_proxy$/iu.test(name)) vi.stubEnv(name, undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const arns = {
  trustAnchorArn:
    'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-2222-3333-4444-555555555555',
  profileArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/66666666-7777-8888-9999-000000000000',
  roleArn: 'arn:aws:iam::123456789012:role/path/R',
};

function prepare(more: Partial<SessionRequest> = {}): PreparedSession {
  return prepareSession({ ...arns, ...more });
}

describe('prepareSession', () => {
  test("takes the region from the trust anchor's ARN and the host from the region", () => {
    const { region, url, body } = prepare();
    expect(region).toBe('us-east-1');
    expect(url.href).toBe('https://rolesanywhere.us-east-1.amazonaws.com/sessions');
    expect(JSON.parse(body)).toEqual(arns);
  });

  test('a region that is given wins', () => {
    const { region, url } = prepare({ region: 'eu-west-3' });
    expect(region).toBe('eu-west-3');
    expect(url.host).toBe('rolesanywhere.eu-west-3.amazonaws.com');
  });

  test('sends what is asked for and nothing else', () => {
    const instanceProperties = { host: 'a', ünï: 'cödé' };
    const { body } = prepare({ durationSeconds: 900, roleSessionName: 'me@host', instanceProperties });
    expect(JSON.parse(body)).toEqual({
      ...arns,
      durationSeconds: 900,
      roleSessionName: 'me@host',
      instanceProperties,
    });
  });

  test.each([900, 3600, 43200])('a duration of %d is good', (durationSeconds) => {
    expect(JSON.parse(prepare({ durationSeconds }).body)).toMatchObject({ durationSeconds });
  });

  test.each([0, -900, 899, 43201, 900.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'a duration of %d is refused',
    async (durationSeconds) => {
      expect(await failure(() => prepare({ durationSeconds }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    },
  );

  test.each(['ab', 'A-z_0.9+=,.@', 'x'.repeat(64)])('the session name %s is good', (roleSessionName) => {
    expect(JSON.parse(prepare({ roleSessionName }).body)).toMatchObject({ roleSessionName });
  });

  test.each(['', 'a', 'x'.repeat(65), 'two words', 'a/b', 'a\nb', 'ünï', 'ab\n'])(
    'the session name %j is refused',
    async (roleSessionName) => {
      expect(await failure(() => prepare({ roleSessionName }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    },
  );

  test('instance properties keep to the limits of the service', async () => {
    const many = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, 'v']));
    expect(() => prepare({ instanceProperties: many(50) })).not.toThrow();
    for (const instanceProperties of [
      many(51),
      { '': 'v' },
      { n: '' },
      { n: 'v'.repeat(201) },
      { ['n'.repeat(201)]: 'v' },
    ]) {
      expect(await failure(() => prepare({ instanceProperties }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
  });

  test('a region with a slash or a dot in it never gets as far as DNS', async () => {
    for (const region of ['us-east-1/x', 'us-east-1.evil.example']) {
      expect(await failure(() => prepare({ region }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  test.each(['cn-north-1', 'us-gov-west-1', 'eusc-de-east-1', 'us-iso-east-1'])(
    'the region %s is not of the partition that the ARNs are of',
    async (region) => {
      const error = await failure(() => prepare({ region, endpoint: 'http://127.0.0.1:1' }));
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toContain(region);
    },
  );

  test('a region of a partition that is not the first', async () => {
    const ours = 'arn:aws-cn:rolesanywhere:cn-north-1:123456789012:';
    const china = {
      trustAnchorArn: `${ours}trust-anchor/t`,
      profileArn: `${ours}profile/p`,
      roleArn: 'arn:aws-cn:iam::123456789012:role/R',
    };
    expect(prepare({ ...china, region: 'cn-northwest-1' }).region).toBe('cn-northwest-1');
    const run = (): PreparedSession => prepare({ ...china, region: 'us-east-1' });
    expect(await failure(run)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('the option for the endpoint wins over AWS_ENDPOINT_URL_ROLESANYWHERE', () => {
    vi.stubEnv('AWS_ENDPOINT_URL_ROLESANYWHERE', 'http://variable.example');
    expect(prepare().url.host).toBe('variable.example');
    expect(prepare({ endpoint: 'http://option.example' }).url.host).toBe('option.example');
  });
});

describe('the request, byte by byte', () => {
  test.each([
    ['RSA without a chain', 0, '', '42', 'AWS4-X509-RSA-SHA256'],
    [
      'EC with a chain, behind a path prefix',
      1,
      '/prefix/',
      '730750818665451459101842416358141509827966271487',
      'AWS4-X509-ECDSA-SHA256',
    ],
  ])('%s', async (_, vector, prefix, serial, algorithm) => {
    await using service = await localService([{}]);
    const identity = vectorIdentity(vector);
    const host = `127.0.0.1:${service.port}`;
    const session = prepare({ endpoint: `http://${host}${prefix}`, durationSeconds: 900 });
    await createSession(identity, session, { ...quick, now: () => new Date('2026-05-06T07:08:09.999Z') });

    const [request] = service.received;
    if (request === undefined) expect.fail('no request');
    const path = `${prefix}/sessions`.replace('//', '/');
    expect(request).toMatchObject({ method: 'POST', url: path });
    expect(JSON.parse(request.body)).toEqual({ ...arns, durationSeconds: 900 });

    const leaf = Buffer.from(identity.certificate.der).toString('base64');
    const chain = identity.chain.map(({ der }) => Buffer.from(der).toString('base64')).join(',');
    const signed: Record<string, string> = {
      'content-type': 'application/json',
      host,
      'x-amz-date': '20260506T070809Z',
      'x-amz-x509': leaf,
      ...(chain === '' ? {} : { 'x-amz-x509-chain': chain }),
    };
    expect(request.headers).toEqual({
      ...signed,
      authorization: expect.any(String) as string,
      'content-length': String(Buffer.byteLength(request.body)),
      'user-agent': expect.stringMatching(/^rolesanywhere\//u) as string,
      connection: 'close',
      // Bun's fetch cannot be kept from it; it is not signed.
      ...(testsExecutable && { accept: '*/*' }),
    });
    // Each once: the second of two equal headers would change what the service hashes.
    const names = request.rawHeaders
      .filter((_value, index) => index % 2 === 0)
      .map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);

    // The service's side, from the documentation alone.
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    const canonical = [
      'POST',
      path,
      '',
      ...Object.entries(signed).map(([name, value]) => `${name}:${value}`),
      '',
      Object.keys(signed).join(';'),
      sha256(request.body),
    ].join('\n');
    const scope = '20260506/us-east-1/rolesanywhere/aws4_request';
    const text = [algorithm, '20260506T070809Z', scope, sha256(canonical)].join('\n');
    const [before, signature = ''] = (request.headers.authorization ?? '').split(', Signature=');
    expect(before).toBe(
      `${algorithm} Credential=${serial}/${scope}, SignedHeaders=${Object.keys(signed).join(';')}`,
    );
    expect(signature).toMatch(/^[0-9a-f]+$/u);
    const certificate = `-----BEGIN CERTIFICATE-----\n${leaf}\n-----END CERTIFICATE-----`;
    const key = createPublicKey(certificate);
    expect(verify('sha256', Buffer.from(text), key, Buffer.from(signature, 'hex'))).toBe(true);
    expect(identity.signatures).toHaveLength(1);
  });
});

describe('createSession', () => {
  test('gives the session', async () => {
    await using service = await localService([{}]);
    const session = prepare({ endpoint: `http://127.0.0.1:${service.port}` });
    expect(await createSession(vectorIdentity(), session, quick)).toEqual({
      credentials: {
        accessKeyId: 'ASIAEXAMPLE',
        secretAccessKey: 'canary-secret',
        sessionToken: 'canary-token',
        expiration: expect.any(Date) as Date,
      },
      assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/R/2a',
      roleArn: 'arn:aws:iam::123456789012:role/R',
      subjectArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:subject/s',
      sourceIdentity: 'CN=vector-rsa',
    });
  });

  test("a region that is not the trust anchor's is signed for, with a warning", async () => {
    await using service = await localService([{}]);
    const warnings: string[] = [];
    const reporter = { warn: (message: string) => void warnings.push(message), debug: () => undefined };
    const session = prepare({ endpoint: `http://127.0.0.1:${service.port}`, region: 'eu-west-1' });
    await createSession(vectorIdentity(), session, { ...quick, reporter });
    expect(service.received[0]?.headers.authorization).toContain('/eu-west-1/rolesanywhere/aws4_request');
    expect(warnings).toEqual([expect.stringMatching(/eu-west-1.*us-east-1/u)]);
  });

  test('what the key throws comes through, and nothing is sent', async () => {
    await using service = await localService([{}]);
    const identity = vectorIdentity();
    const broken = {
      ...identity,
      signer: { ...identity.signer, sign: () => Promise.reject(new Error('no PIN')) },
    };
    const session = prepare({ endpoint: `http://127.0.0.1:${service.port}` });
    await expect(createSession(broken, session, quick)).rejects.toThrow('no PIN');
    expect(service.received).toHaveLength(0);
  });
});
