import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import type { RawAnswer } from './support/exchange.ts';
import type { HmacSteps, SessionKeys } from './support/hmac-signer.ts';
import { readSessionKeys } from './support/hmac-signer.ts';
import { issue, issueAuthority, noon } from './support/pki.ts';
import { TestService } from './support/service.ts';
import type { Other } from './support/signed-in.ts';
import { signedIn } from './support/signed-in.ts';
import type { RawRequest } from './support/x509-signer.ts';

const session = signedIn();

const form = 'Action=GetCallerIdentity&Version=2011-06-15';

const signed = (steps: HmacSteps = {}, other: Other = {}): RawRequest =>
  session.request('sts', { body: form, ...steps }, other);
const ask = (steps?: HmacSteps, other?: Other): Promise<RawAnswer> =>
  session.service.send(signed(steps, other));

const code = ({ body }: RawAnswer): string | undefined => /<Code>(.*)<\/Code>/.exec(body)?.[1];

describe('GetCallerIdentity', () => {
  test('names the assumed role', async () => {
    const { status, headers, body } = await ask();
    const name = session.leaf.serial.toString(16);
    expect([status, headers['content-type']]).toEqual([200, 'text/xml']);
    expect(body).toMatch(
      new RegExp(
        '^<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>' +
          `<Arn>arn:aws:sts::123456789012:assumed-role/emulator/${name}</Arn>` +
          `<UserId>AROA[A-Z2-7]{17}:${name}</UserId><Account>123456789012</Account></GetCallerIdentityResult>` +
          `<ResponseMetadata><RequestId>${headers['x-amzn-requestid'] ?? ''}</RequestId></ResponseMetadata>` +
          '</GetCallerIdentityResponse>$',
      ),
    );
  });

  test('may be asked by GET', async () => {
    expect((await ask({ method: 'GET', query: form, body: '' })).status).toBe(200);
  });

  test('may be asked in any region', async () => {
    const scope = '20260615/eu-central-1/sts/aws4_request';
    expect((await ask({ scope })).status).toBe(200);
  });

  test('logs the session, and no secret', async () => {
    await ask();
    const line = JSON.stringify(session.service.log.at(-1));
    expect(line).toContain('assumed-role/emulator');
    expect(line).not.toContain(session.keys.accessKeyId);
    expect(line).not.toContain(session.keys.sessionToken.slice(0, 20));
    expect(line).not.toContain(session.keys.secretAccessKey);
  });

  test.each<[string, NonNullable<Other['keys']>, string]>([
    ['another secret', { secretAccessKey: 'x'.repeat(40) }, 'SignatureDoesNotMatch'],
    ['an unknown access key', { accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' }, 'InvalidClientTokenId'],
    ['another token', { sessionToken: 'IQoJb3JpZ2luX2Vj' }, 'InvalidClientTokenId'],
  ])('with %s is refused', async (_, keys, expected) => {
    const answer = await ask({}, { keys });
    expect([answer.status, code(answer)]).toEqual([403, expected]);
  });

  test.each<[string, HmacSteps, string, number]>([
    ['no token', { without: 'x-amz-security-token' }, 'InvalidClientTokenId', 403],
    ['an unsigned token', { unsigned: ['x-amz-security-token'] }, 'SignatureDoesNotMatch', 403],
    ['an unsigned host', { unsigned: ['host'] }, 'SignatureDoesNotMatch', 403],
    ['no date', { without: 'x-amz-date' }, 'IncompleteSignature', 400],
    ['a time six minutes ahead', { date: new Date(noon.getTime() + 360_000) }, 'SignatureDoesNotMatch', 403],
    ['a time six minutes behind', { date: new Date(noon.getTime() - 360_000) }, 'SignatureDoesNotMatch', 403],
    ['another service', { scope: '20260615/us-east-1/iam/aws4_request' }, 'SignatureDoesNotMatch', 403],
    ['a region that cannot be', { scope: '20260615/US EAST/sts/aws4_request' }, 'IncompleteSignature', 400],
    ['no region', { scope: '20260615//sts/aws4_request' }, 'SignatureDoesNotMatch', 403],
    ['another algorithm', { algorithm: 'AWS4-X509-RSA-SHA256' }, 'IncompleteSignature', 400],
    ['another action', { body: 'Action=GetUser&Version=2011-06-15' }, 'InvalidAction', 400],
    ['another version', { body: 'Action=GetCallerIdentity&Version=2010-05-08' }, 'InvalidAction', 400],
  ])('with %s is refused', async (_, steps, expected, status) => {
    const answer = await ask(steps);
    expect([answer.status, code(answer)]).toEqual([status, expected]);
    expect(answer.body).toContain(`<RequestId>${answer.headers['x-amzn-requestid'] ?? ''}</RequestId>`);
  });

  test('without a signature is refused', async () => {
    const request = signed();
    const headers = request.headers.filter(([name]) => name !== 'authorization');
    const answer = await session.service.send({ ...request, headers });
    expect([answer.status, code(answer)]).toEqual([403, 'MissingAuthenticationToken']);
  });

  test('with the token of another session is refused', async () => {
    const { sessionToken } = await session.newSession();
    expect(code(await ask({}, { keys: { sessionToken } }))).toBe('InvalidClientTokenId');
  });

  test('with another body than was signed is refused', async () => {
    const answer = await session.service.send({ ...signed(), body: `${form}&x=1` });
    expect(code(answer)).toBe('SignatureDoesNotMatch');
  });

  test('is refused once the session has expired', async () => {
    const last = new Date(noon.getTime() + 3_599_000);
    session.service.time = last;
    expect((await ask({ date: last })).status).toBe(200);
    const date = (session.service.time = new Date(noon.getTime() + 3_600_000));
    expect(code(await ask({ date }))).toBe('ExpiredToken');
  });

  test('answers with well-formed XML whatever the action is called', async () => {
    const answer = await ask({ body: `Action=%3C%26%01%22%3E&Version=2011-06-15` });
    expect([answer.status, code(answer)]).toEqual([400, 'InvalidAction']);
    expect(answer.body).toContain('&lt;&amp;\u{FFFD}&quot;&gt;');
  });

  test('is not what another action-less form asks for', async () => {
    const answer = await ask({ body: 'x=1' });
    expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([404, 'UnknownOperationException']);
  });
});

test('the AWS SDK for JavaScript is told who it is, and understands refusals', async () => {
  // The SDK signs by the real clock, so everything else must be of today too.
  const now = new Date();
  const validity = {
    notBefore: new Date(now.getTime() - 60_000),
    notAfter: new Date(now.getTime() + 60_000),
  };
  const today = issueAuthority('Today', validity);
  await using current = await TestService.start([today]);
  current.time = now;
  const answer = await current.createSession({ leaf: issue({ by: today, ...validity }), date: now });
  const keys = readSessionKeys(answer);
  const ask = async (change: Partial<SessionKeys>): Promise<unknown> => {
    const client = new STSClient({
      endpoint: current.emulator.endpoint,
      region: 'us-east-1',
      credentials: { ...keys, ...change },
      maxAttempts: 1,
    });
    try {
      return await client.send(new GetCallerIdentityCommand({}));
    } finally {
      client.destroy();
    }
  };
  expect(await ask({})).toMatchObject({
    Account: '123456789012',
    Arn: expect.stringContaining('assumed-role/emulator') as string,
  });
  await expect(ask({ secretAccessKey: 'wrong' })).rejects.toMatchObject({
    name: 'SignatureDoesNotMatch',
    $metadata: { httpStatusCode: 403 },
  });
  await expect(ask({ sessionToken: 'wrong' })).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
});
