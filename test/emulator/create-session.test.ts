import { createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  alternativeNames,
  basicConstraints,
  ecKey,
  issue,
  issueAuthority,
  keyUsage,
  noon,
  rsaKey,
} from './support/pki.ts';
import { TestService } from './support/service.ts';
import type { Headers, SigningSteps } from './support/x509-signer.ts';
import { timestamp } from './support/x509-signer.ts';

const authority = issueAuthority('Root');
const leaf = issue({ by: authority });
const minutes = (count: number): Date => new Date(noon.getTime() + count * 60_000);

let service: TestService;
beforeAll(async () => {
  service = await TestService.start([authority]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

interface Answer {
  readonly credentialSet: readonly {
    readonly assumedRoleUser: { readonly arn: string; readonly assumedRoleId: string };
    readonly credentials: Readonly<Record<string, string>>;
    readonly packedPolicySize: number;
    readonly roleArn: string;
    readonly sourceIdentity: string;
  }[];
  readonly subjectArn: string;
}

/** The answer of a request that must succeed. */
async function granted(steps: Omit<SigningSteps, 'host'>): Promise<Answer> {
  const { status, body, why } = await service.createSession(steps);
  expect({ status, why }).toEqual({ status: 201, why: '' });
  return JSON.parse(body) as Answer;
}

const json = (members: object): string => {
  const { trustAnchorArn, profileArn, roleArn } = service.emulator;
  return JSON.stringify({ trustAnchorArn, profileArn, roleArn, ...members });
};

describe('a right request', () => {
  test('is answered as the service answers', async () => {
    const { status, headers, body } = await service.createSession({ leaf });
    expect(status).toBe(201);
    expect(headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers['date']).toBe('Mon, 15 Jun 2026 12:00:00 GMT');
    expect(headers['content-type']).toBe('application/json');
    const hex = leaf.serial.toString(16);
    expect(JSON.parse(body)).toEqual({
      credentialSet: [
        {
          assumedRoleUser: {
            arn: `arn:aws:sts::123456789012:assumed-role/emulator/${hex}`,
            assumedRoleId: expect.stringMatching(new RegExp(`^AROA[A-Z2-7]{17}:${hex}$`)) as string,
          },
          credentials: {
            accessKeyId: expect.stringMatching(/^ASIA[A-Z2-7]{16}$/) as string,
            secretAccessKey: expect.stringMatching(/^[A-Za-z0-9+/]{40}$/) as string,
            sessionToken: expect.stringMatching(/^IQoJb3JpZ2luX2Vj[A-Za-z0-9+/=]{600,}$/) as string,
            expiration: '2026-06-15T13:00:00Z',
          },
          packedPolicySize: expect.any(Number) as number,
          roleArn: service.emulator.roleArn,
          sourceIdentity: 'CN=leaf.example',
        },
      ],
      subjectArn: expect.stringMatching(
        /^arn:aws:rolesanywhere:us-east-1:123456789012:subject\/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/,
      ) as string,
    });
  });

  test.each(['P-256', 'P-384', 'P-521'])('is taken from an EC %s key', async (curve) => {
    await granted({ leaf: issue({ by: authority, keys: ecKey(curve) }) });
  });

  test('is taken from an RSA key', async () => {
    await granted({ leaf: issue({ by: authority, keys: rsaKey() }) });
  });

  test('may have the ARNs in the body', async () => {
    await granted({ leaf, query: '', body: json({}) });
  });

  test('may have its endpoint under a path, which is signed as sent', async () => {
    await granted({ leaf, path: '/some/prefix/sessions' });
    // A byte that is escaped on the wire is escaped once more in the canonical request.
    await granted({ leaf, path: '/a%20b/sessions', canonicalPath: '/a%2520b/sessions' });
  });

  test('may name the whole URL, as over a plain proxy', async () => {
    const request = service.request({ leaf });
    const { status } = await service.send({ ...request, target: `http://${service.host}${request.target}` });
    expect(status).toBe(201);
  });

  test('may be up to five minutes off', async () => {
    await granted({ leaf, date: minutes(5) });
    await granted({ leaf, date: minutes(-5) });
  });

  test('may sign other headers, with spaces to squeeze and values to join', async () => {
    const headers: Headers = [
      ['X-Amz-Extra', '  a   b  '],
      ['X-Amz-Extra', 'c'],
    ];
    await granted({ leaf, headers });
  });

  test('keeps the session tags in its log entry, and no secret', async () => {
    const named = issue({
      by: authority,
      subject: [
        ['C', 'DE'],
        ['O', 'Example'],
        ['OU', 'first'],
        ['OU', 'second'],
        ['CN', 'tagged'],
      ],
      extensions: [
        basicConstraints(false),
        keyUsage('digitalSignature'),
        alternativeNames(
          ['dns', 'a.example'],
          ['dns', 'b.example'],
          ['uri', 'spiffe://example/a'],
          [
            'name',
            [
              ['CN', 'inner'],
              ['OU', 'deep'],
            ],
          ],
        ),
      ],
    });
    const answer = await granted({ leaf: named });
    const entry = service.log.at(-1);
    expect(entry).toMatchObject({
      ok: true,
      operation: 'CreateSession',
      status: 201,
      tags: {
        'x509Subject/C': 'DE',
        'x509Subject/O': 'Example',
        'x509Subject/OU': 'first',
        'x509Subject/CN': 'tagged',
        'x509Issuer/CN': 'Root',
        'x509SAN/DNS': 'a.example',
        'x509SAN/URI': 'spiffe://example/a',
        'x509SAN/Name/CN': 'inner',
        'x509SAN/Name/OU': 'deep',
      },
    });
    const line = JSON.stringify(entry);
    const { accessKeyId, secretAccessKey, sessionToken } = answer.credentialSet[0]?.credentials ?? {};
    for (const secret of [accessKeyId, secretAccessKey, sessionToken]) {
      expect(line).not.toContain(secret ?? '');
    }
    expect(line).not.toMatch(/Signature=|[0-9a-f]{100}/);
  });
});

describe('subject, source identity and session name', () => {
  const identity = async (steps: Omit<SigningSteps, 'host'>): Promise<unknown> => {
    const { credentialSet } = await granted(steps);
    return [credentialSet[0]?.sourceIdentity, credentialSet[0]?.assumedRoleUser.arn.split('/')[2]];
  };
  const common = (length: number): string => 'n'.repeat(length);

  test.each([
    [61, `CN=${common(61)}`],
    [62, common(62)],
    [64, common(64)],
  ])('of a common name with %i characters', async (length, expected) => {
    const certificate = issue({ by: authority, subject: [['CN', common(length)]], serial: 0xabcn });
    expect(await identity({ leaf: certificate })).toEqual([expected, '0abc']);
  });

  test('of no common name are the serial number', async () => {
    const certificate = issue({ by: authority, subject: [['O', 'Example']], serial: 0xabcn });
    expect(await identity({ leaf: certificate })).toEqual(['ID=0abc', '0abc']);
  });

  test('are refused for a common name that no source identity can hold', async () => {
    const certificate = issue({ by: authority, subject: [['CN', common(65)]] });
    const { status, body, why } = await service.createSession({ leaf: certificate });
    expect([status, body]).toEqual([403, '{"message":"Unable to assume role"}']);
    expect(why).toContain('65');
  });

  test('stay the same for the same subject', async () => {
    const [one, two, other] = await Promise.all([
      granted({ leaf }),
      granted({ leaf: issue({ by: authority }) }),
      granted({ leaf: issue({ by: authority, subject: [['CN', 'other']] }) }),
    ]);
    expect(one.subjectArn).toBe(two.subjectArn);
    expect(one.subjectArn).not.toBe(other.subjectArn);
  });

  test('take the session name that the request sets', async () => {
    expect(await identity({ leaf, query: '', body: json({ roleSessionName: 'build@7' }) })).toEqual([
      'CN=leaf.example',
      'build@7',
    ]);
  });
});

describe('the signature', () => {
  /** A header that replaces what the signer made, after it signed. */
  const swap =
    (name: string, change: (value: string) => string) =>
    (headers: Headers): Headers =>
      headers.map(([key, value]) => [key, key === name ? change(value) : value]);
  const stranger = ecKey();
  const rsaLeaf = issue({ by: authority, keys: rsaKey() });
  const shifted = (count: number): { readonly date: Date } => ({ date: minutes(count) });
  const scope = (change: Partial<Record<'date' | 'region' | 'service' | 'end', string>>): string => {
    const parts = {
      date: '20260615',
      region: 'us-east-1',
      service: 'rolesanywhere',
      end: 'aws4_request',
      ...change,
    };
    return `${parts.date}/${parts.region}/${parts.service}/${parts.end}`;
  };

  test.each<[string, Partial<SigningSteps>, string, string]>([
    ['by another key', { key: stranger.privateKey }, 'Invalid signature', 'does not fit'],
    [
      'with the serial number in hexadecimal',
      { serial: leaf.serial.toString(16) },
      'Invalid signature',
      'decimal',
    ],
    [
      'with a leading zero in the serial number',
      { serial: `0${leaf.serial}` },
      'Invalid signature',
      'decimal',
    ],
    ['with another serial number', { serial: `${leaf.serial + 1n}` }, 'Invalid signature', 'decimal'],
    [
      'by the algorithm of another key type',
      { algorithm: 'AWS4-X509-RSA-SHA256' },
      'Invalid signature',
      'AWS4-X509-ECDSA-SHA256',
    ],
    [
      'by the other algorithm of another key type',
      { leaf: rsaLeaf, algorithm: 'AWS4-X509-ECDSA-SHA256' },
      'Invalid signature',
      'AWS4-X509-RSA-SHA256',
    ],
    ['by ML-DSA', { algorithm: 'AWS4-X509-MLDSA' }, 'Invalid signature', 'AWS4-X509-MLDSA'],
    ['by the HMAC algorithm', { algorithm: 'AWS4-HMAC-SHA256' }, 'Invalid signature', 'AWS4-HMAC-SHA256'],
    [
      'for another region',
      { scope: scope({ region: 'eu-west-1' }) },
      'Credential should be scoped to a valid region.',
      'eu-west-1',
    ],
    [
      'for another service',
      { scope: scope({ service: 'sts' }) },
      "Credential should be scoped to correct service: 'rolesanywhere'.",
      'sts',
    ],
    ['for another day', { scope: scope({ date: '20260614' }) }, 'Date in Credential scope', '20260614'],
    ['with another terminator', { scope: scope({ end: 'aws5_request' }) }, 'terminator', 'aws5_request'],
    [
      'with a scope too short',
      { scope: '20260615/us-east-1/rolesanywhere' },
      'Credential must have',
      'elements',
    ],
    ['six minutes ahead', shifted(6), 'Signature not yet current: 20260615T120600Z', 'later'],
    ['six minutes behind', shifted(-6), 'Signature expired: 20260615T115400Z', 'earlier'],
    ['that leaves the host out', { unsigned: ['host'] }, "'host' must be a 'SignedHeader'", 'host'],
    ['that leaves the date out', { unsigned: ['x-amz-date'] }, "'x-amz-date' must be", 'x-amz-date'],
    ['that leaves the certificate out', { unsigned: ['x-amz-x509'] }, "'x-amz-x509' must be", 'x-amz-x509'],
    [
      'that leaves the chain out',
      { chain: [authority], unsigned: ['x-amz-x509-chain'] },
      "'x-amz-x509-chain' must be",
      'x-amz-x509-chain',
    ],
    [
      'that leaves another x-amz header out',
      { headers: [['X-Amz-Other', '1']], unsigned: ['x-amz-other'] },
      "'x-amz-other' must be",
      'x-amz-other',
    ],
    [
      'over headers out of order',
      { signedHeaders: ['x-amz-x509', 'x-amz-date', 'host', 'content-type'] },
      'Invalid signature',
      'sorted',
    ],
    [
      'over headers in upper case',
      { signedHeaders: ['Host', 'content-type', 'x-amz-date', 'x-amz-x509'] },
      'Invalid signature',
      'lower-case',
    ],
    [
      'over a header twice',
      { signedHeaders: ['content-type', 'host', 'host', 'x-amz-date', 'x-amz-x509'] },
      'Invalid signature',
      'each once',
    ],
    [
      'over a header that was not sent',
      { signedHeaders: ['host', 'x-absent', 'x-amz-date', 'x-amz-x509'] },
      'Invalid signature',
      'x-absent',
    ],
    ['over the path escaped once', { path: '/a%20b/sessions' }, 'Invalid signature', 'does not fit'],
    [
      'over an unsorted query',
      { canonicalQuery: 'trustAnchorArn=a&roleArn=b&profileArn=c' },
      'Invalid signature',
      'does not fit',
    ],
  ])('%s is refused', async (_, steps, message, why) => {
    const answer = await service.createSession({ leaf, ...steps });
    expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([403, 'AccessDeniedException']);
    expect(answer.body).toContain(message);
    expect(answer.why).toContain(why);
  });

  test.each<[string, string, (value: string) => string, string]>([
    ['the host', 'Host', () => 'rolesanywhere.us-east-1.amazonaws.com', 'does not fit'],
    ['the content type', 'Content-Type', () => 'text/plain', 'does not fit'],
    ['the date by a second', 'X-Amz-Date', () => timestamp(new Date(noon.getTime() + 1000)), 'does not fit'],
    ['the date to no date', 'X-Amz-Date', () => '20260615T126000Z', 'YYYYMMDD'],
    ['the date to the extended format', 'X-Amz-Date', () => '2026-06-15T12:00:00Z', 'YYYYMMDD'],
    [
      'the signature',
      'Authorization',
      (value) => value.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
      'does not fit',
    ],
    [
      'the signature to upper case',
      'Authorization',
      (value) =>
        value.replace(/Signature=.*/, (part) => part.toUpperCase().replace('SIGNATURE', 'Signature')),
      'lower-case',
    ],
    [
      'the signature to nothing',
      'Authorization',
      (value) => value.replace(/Signature=.*/, 'Signature='),
      'Signature',
    ],
    ['the signature to half a byte', 'Authorization', (value) => value.slice(0, -1), 'hexadecimal'],
    ['away the credential', 'Authorization', (value) => value.replace(/Credential=\S+ /, ''), 'Credential'],
    [
      'away the signed headers',
      'Authorization',
      (value) => value.replace(/SignedHeaders=\S+ /, ''),
      'SignedHeaders',
    ],
    ['the fields to twice the same', 'Authorization', (value) => `${value}, Signature=00`, 'each once'],
    ['the header to one word', 'Authorization', () => 'AWS4-X509-ECDSA-SHA256', 'nothing follows'],
    ['the header to another scheme', 'Authorization', () => 'Bearer token', 'expected'],
  ])('does not hold after changing %s', async (_, name, change, why) => {
    const request = service.request({ leaf });
    const answer = await service.send({ ...request, headers: swap(name, change)(request.headers) });
    expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([403, 'AccessDeniedException']);
    expect(answer.why).toContain(why);
  });

  test('may have no blank after the commas', async () => {
    const request = service.request({ leaf });
    const headers = swap('Authorization', (value) => value.replaceAll(', ', ','))(request.headers);
    expect((await service.send({ ...request, headers })).status).toBe(201);
  });

  test('does not hold for another body', async () => {
    const request = service.request({ leaf, query: '', body: json({ durationSeconds: 900 }) });
    const answer = await service.send({ ...request, body: json({ durationSeconds: 901 }) });
    expect([answer.status, answer.why]).toEqual([403, expect.stringContaining('does not fit')]);
  });

  test('does not hold for another query', async () => {
    const request = service.request({ leaf });
    const answer = await service.send({ ...request, target: `${request.target}&x=1` });
    expect([answer.status, answer.why]).toEqual([403, expect.stringContaining('does not fit')]);
  });

  test('is asked for', async () => {
    const request = service.request({ leaf });
    const headers = request.headers.filter(([name]) => name !== 'Authorization');
    const answer = await service.send({ ...request, headers });
    expect([answer.status, answer.body]).toEqual([
      403,
      '{"message":"Request is missing Authentication Token"}',
    ]);
  });

  test.each([
    ['Authorization', 'more than one'],
    ['X-Amz-Date', 'repeated'],
    ['X-Amz-X509', '2 times'],
  ])('is refused with %s twice', async (name, why) => {
    const request = service.request({ leaf });
    const repeated = request.headers.filter(([key]) => key === name);
    const answer = await service.send({ ...request, headers: [...request.headers, ...repeated] });
    expect([answer.status, answer.why]).toEqual([403, expect.stringContaining(why)]);
  });

  test('needs a certificate', async () => {
    const answer = await service.createSession({
      leaf,
      rework: (headers) => headers.filter(([name]) => name !== 'X-Amz-X509'),
    });
    expect([answer.status, answer.body]).toEqual([403, '{"message":"Insufficient certificate"}']);
  });

  test.each<[string, string, string]>([
    ['nothing', '', 'base64'],
    ['no base64', '!!!!', 'base64'],
    ['base64url', leaf.der.toString('base64url'), 'base64'],
    ['base64 without padding', Buffer.from('abcd').toString('base64').replace(/=/g, ''), 'base64'],
    ['no DER', Buffer.from('hello').toString('base64'), 'DER'],
    ['half a certificate', leaf.der.subarray(0, 200).toString('base64'), 'DER'],
    ['something behind it', Buffer.concat([leaf.der, Buffer.of(0)]).toString('base64'), 'DER'],
    [
      'PEM in base64',
      Buffer.from(
        `-----BEGIN CERTIFICATE-----\n${leaf.der.toString('base64')}\n-----END CERTIFICATE-----\n`,
      ).toString('base64'),
      'DER',
    ],
    ['two of them', `${leaf.der.toString('base64')},${leaf.der.toString('base64')}`, '2 certificates'],
    ['a deep nest', Buffer.alloc(60_000, 0x30).toString('base64'), 'DER'],
  ])('with %s for a certificate is refused', async (_, value, why) => {
    const answer = await service.createSession({
      leaf,
      rework: (headers) => headers.map(([key, old]) => [key, key === 'X-Amz-X509' ? value : old]),
    });
    expect([answer.status, answer.body]).toEqual([403, '{"message":"Insufficient certificate"}']);
    expect(answer.why).toContain(why);
  });

  test.each([1024, 2040, 8200])('is refused from an RSA key of %i bits', async (bits) => {
    // A public key of this size; the private one is never come to.
    const n = Buffer.alloc(bits / 8, 0xff).toString('base64url');
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
    const keys = { publicKey, privateKey: rsaKey().privateKey };
    const answer = await service.createSession({ leaf: issue({ by: authority, keys }) });
    expect(answer).toMatchObject({ status: 403, body: '{"message":"Insufficient certificate"}' });
    expect(answer.why).toContain(`${bits} bits`);
  });

  test.each(['secp256k1', 'P-224'])('is refused from the curve %s', async (curve) => {
    const answer = await service.createSession({ leaf: issue({ by: authority, keys: ecKey(curve) }) });
    expect([answer.status, answer.body]).toEqual([403, '{"message":"Insufficient certificate"}']);
    expect(answer.why).toMatch(/secp256k1|secp224r1/);
  });
});

describe('the request', () => {
  const call = (
    members: object,
  ): Promise<{ status: number; body: string; headers: Readonly<Record<string, string>> }> =>
    service.createSession({ leaf, query: '', body: json(members) });

  test.each([
    [undefined, 3600],
    [900, 900],
    [1800, 1800],
    [43_200, 3600], // the profile allows no more
  ])('for %s seconds gets %i', async (durationSeconds, seconds) => {
    const { credentialSet } = await granted({ leaf, query: '', body: json({ durationSeconds }) });
    const expiration = new Date(credentialSet[0]?.credentials['expiration'] ?? '');
    expect((expiration.getTime() - noon.getTime()) / 1000).toBe(seconds);
  });

  test.each([0, 899, 43_201, 900.5, -900, '3600', true, {}])(
    'for %j seconds is refused',
    async (durationSeconds) => {
      const { status, headers } = await call({ durationSeconds });
      expect([status, headers['x-amzn-errortype']]).toEqual([400, 'ValidationException']);
    },
  );

  test.each(['', 'a', 'a b', 'ä', 'x'.repeat(65), 7])(
    'with the session name %j is refused',
    async (roleSessionName) => {
      expect((await call({ roleSessionName })).status).toBe(400);
    },
  );

  test.each([
    { a: 1 },
    { a: '' },
    { '': 'a' },
    [],
    'a=b',
    { a: 'b'.repeat(201) },
    Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])),
    true,
  ])('with the instance properties %j is refused', async (instanceProperties) => {
    expect((await call({ instanceProperties })).status).toBe(400);
  });

  test('may have instance properties', async () => {
    expect((await call({ instanceProperties: { rack: '7' } })).status).toBe(201);
  });

  test.each(['trustAnchorArn', 'profileArn', 'roleArn'])('needs %s', async (name) => {
    const { status, headers, body } = await call({ [name]: undefined });
    expect([status, headers['x-amzn-errortype']]).toEqual([400, 'ValidationException']);
    expect(body).toContain(name);
  });

  test('with swapped ARNs is refused', async () => {
    const { trustAnchorArn, profileArn } = service.emulator;
    const { status, body } = await call({ trustAnchorArn: profileArn, profileArn: trustAnchorArn });
    expect([status, body]).toEqual([400, expect.stringContaining('trustAnchorArn')]);
  });

  test.each(['arn:aws:iam::123456789012:user/emulator', 'emulator', 7])(
    'with the role %j is refused',
    async (roleArn) => {
      expect((await call({ roleArn })).status).toBe(400);
    },
  );

  test.each([
    ['trustAnchorArn', 'Trust anchor'],
    ['profileArn', 'Profile'],
  ] as const)('with an unknown %s is refused', async (name, words) => {
    const { status, headers, body } = await call({ [name]: service.emulator[name].replace(/.$/, 'f') });
    expect([status, headers['x-amzn-errortype']]).toEqual([404, 'ResourceNotFoundException']);
    expect(body).toContain(words);
  });

  test.each([
    ['a disabled trust anchor', 'trustAnchorArn', '11', 'disabled'],
    ['a disabled profile', 'profileArn', '12', 'disabled'],
  ] as const)('with %s is refused', async (_, name, end, words) => {
    const { status, headers, body } = await call({ [name]: service.emulator[name].replace(/..$/, end) });
    expect([status, headers['x-amzn-errortype']]).toEqual([403, 'AccessDeniedException']);
    expect(body).toContain(words);
  });

  test.each(['outside', 'nowhere'])('with the role %s, in no profile, is refused', async (role) => {
    const { status, body } = await call({ roleArn: `arn:aws:iam::123456789012:role/${role}` });
    expect([status, body]).toEqual([403, '{"message":"Unable to assume role"}']);
  });

  test('may not set a session name where the profile takes none', async () => {
    const profileArn = service.emulator.profileArn.replace(/..$/, '22');
    const { status, body } = await call({ profileArn, roleSessionName: 'mine' });
    expect([status, body]).toEqual([403, '{"message":"Not authorized to set roleSessionName."}']);
    expect((await call({ profileArn })).status).toBe(201);
  });

  test.each(['{', '[]', '"text"', 'null', '7', '['.repeat(200_000), '\u{FEFF}{', Buffer.of(0xff, 0xfe)])(
    'with a body that is no JSON object is refused (%#)',
    async (body) => {
      const answer = await service.createSession({ leaf, body });
      expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([400, 'ValidationException']);
    },
  );

  test('with broken escapes in the query is refused', async () => {
    const answer = await service.createSession({
      leaf,
      query: 'roleArn=%zz%&%',
      canonicalQuery: '%25=&roleArn=%25zz%25',
    });
    expect(answer.status).toBe(400);
  });
});
