import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RawAnswer } from './support/exchange.ts';
import type { HmacSteps, SessionKeys } from './support/hmac-signer.ts';
import { hmacRequest, readSessionKeys } from './support/hmac-signer.ts';
import { issue, issueAuthority, noon } from './support/pki.ts';
import { TestService } from './support/service.ts';
import type { RawRequest } from './support/x509-signer.ts';

const authority = issueAuthority('Root');
const leaf = issue({ by: authority });
let service: TestService;
let credentials: SessionKeys;
beforeAll(async () => {
  service = await TestService.start([authority]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});
beforeEach(async () => {
  service.time = noon;
  credentials = await newSession();
});

async function newSession(): Promise<SessionKeys> {
  return readSessionKeys(await service.createSession({ leaf }));
}

const form = 'Action=GetCallerIdentity&Version=2011-06-15';

function signed({ keys, ...steps }: HmacSteps & { readonly keys?: Partial<SessionKeys> } = {}): RawRequest {
  const whom = { host: service.host, service: 'sts' };
  return hmacRequest({ ...credentials, ...keys }, whom, { body: form, ...steps });
}

const code = ({ body }: RawAnswer): string | undefined => /<Code>(.*)<\/Code>/.exec(body)?.[1];

describe('GetCallerIdentity', () => {
  test('names the assumed role', async () => {
    const { status, headers, body } = await service.send(signed());
    const name = leaf.serial.toString(16);
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
    expect((await service.send(signed({ method: 'GET', query: form, body: '' }))).status).toBe(200);
  });

  test('may be asked in any region', async () => {
    const scope = '20260615/eu-central-1/sts/aws4_request';
    expect((await service.send(signed({ scope }))).status).toBe(200);
  });

  test('logs the session, and no secret', async () => {
    await service.send(signed());
    const line = JSON.stringify(service.log.at(-1));
    expect(line).toContain('assumed-role/emulator');
    expect(line).not.toContain(credentials.accessKeyId);
    expect(line).not.toContain(credentials.sessionToken.slice(0, 20));
    expect(line).not.toContain(credentials.secretAccessKey);
  });

  test.each<[string, Parameters<typeof signed>[0], string, number]>([
    ['another secret', { keys: { secretAccessKey: 'x'.repeat(40) } }, 'SignatureDoesNotMatch', 403],
    ['an unknown access key', { keys: { accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' } }, 'InvalidClientTokenId', 403],
    ['another token', { keys: { sessionToken: 'IQoJb3JpZ2luX2Vj' } }, 'InvalidClientTokenId', 403],
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
    const answer = await service.send(signed(steps));
    expect([answer.status, code(answer)]).toEqual([status, expected]);
    expect(answer.body).toContain(`<RequestId>${answer.headers['x-amzn-requestid'] ?? ''}</RequestId>`);
  });

  test('without a signature is refused', async () => {
    const request = signed();
    const headers = request.headers.filter(([name]) => name !== 'authorization');
    const answer = await service.send({ ...request, headers });
    expect([answer.status, code(answer)]).toEqual([403, 'MissingAuthenticationToken']);
  });

  test('with the token of another session is refused', async () => {
    const { sessionToken } = await newSession();
    expect(code(await service.send(signed({ keys: { sessionToken } })))).toBe('InvalidClientTokenId');
  });

  test('with another body than was signed is refused', async () => {
    const answer = await service.send({ ...signed(), body: `${form}&x=1` });
    expect(code(answer)).toBe('SignatureDoesNotMatch');
  });

  test('is refused once the session has expired', async () => {
    const last = new Date(noon.getTime() + 3_599_000);
    service.time = last;
    expect((await service.send(signed({ date: last }))).status).toBe(200);
    service.time = new Date(noon.getTime() + 3_600_000);
    expect(code(await service.send(signed({ date: service.time })))).toBe('ExpiredToken');
  });

  test('answers with well-formed XML whatever the action is called', async () => {
    const answer = await service.send(signed({ body: `Action=%3C%26%01%22%3E&Version=2011-06-15` }));
    expect([answer.status, code(answer)]).toEqual([400, 'InvalidAction']);
    expect(answer.body).toContain('&lt;&amp;\u{FFFD}&quot;&gt;');
  });

  test('is not what another action-less form asks for', async () => {
    const answer = await service.send(signed({ body: 'x=1' }));
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
