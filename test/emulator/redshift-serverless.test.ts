import { describe, expect, test } from 'vitest';
import type { HmacSteps } from './support/hmac-signer.ts';
import { noon } from './support/pki.ts';
import { TestService } from './support/service.ts';
import type { Other } from './support/signed-in.ts';
import { signedIn } from './support/signed-in.ts';

const session = signedIn();

interface Reply {
  readonly status: number;
  readonly type: string | undefined;
  readonly value: Record<string, unknown>;
}

async function ask(
  operation: string,
  input: unknown,
  steps: HmacSteps = {},
  other: Other = {},
): Promise<Reply> {
  const { status, headers, body } = await session.ask(
    'redshift-serverless',
    {
      contentType: 'application/x-amz-json-1.1',
      target: `RedshiftServerless.${operation}`,
      body: JSON.stringify(input),
      ...steps,
    },
    other,
  );
  expect(headers['content-type']).toBe('application/x-amz-json-1.1');
  return { status, type: headers['x-amzn-errortype'], value: JSON.parse(body) as Record<string, unknown> };
}

/** The error, which stands in the header and in the body. */
function refusal({ status, type, value }: Reply): [number, unknown] {
  expect(value['__type']).toBe(type);
  expect(value['message']).toEqual(expect.any(String));
  return [status, type];
}

describe('GetCredentials', () => {
  test("answers for the role's own user, with times in epoch seconds", async () => {
    const { status, value } = await ask('GetCredentials', { workgroupName: 'sales', dbName: 'dev' });
    const from = noon.getTime() / 1000;
    expect([status, value]).toEqual([
      200,
      {
        dbUser: 'IAMR:emulator',
        dbPassword: expect.any(String) as string,
        expiration: from + 900,
        nextRefreshTime: from + 600,
      },
    ]);
    for (const character of `+/=@:&%;{}'"\\ `.split('')) expect(value['dbPassword']).toContain(character);
    expect(session.service.log.at(-1)).toMatchObject({
      operation: 'RedshiftServerless.GetCredentials',
      workgroup: 'sales',
    });
    expect(JSON.stringify(session.service.log.at(-1))).not.toContain(
      String(value['dbPassword']).slice(0, 20),
    );
  });

  test('takes a custom domain, nulls and a duration', async () => {
    const input = {
      customDomainName: 'db.example.com',
      workgroupName: null,
      dbName: null,
      durationSeconds: 3600,
    };
    const { value } = await ask('GetCredentials', input);
    expect(value['expiration']).toBe(noon.getTime() / 1000 + 3600);
  });

  test.each([
    [{}, 'ValidationException'],
    [{ workgroupName: 'sales', customDomainName: 'db.example.com' }, 'ValidationException'],
    [{ workgroupName: 'ab' }, 'ValidationException'],
    [{ workgroupName: 'Sales' }, 'ValidationException'],
    [{ workgroupName: 'sales', dbName: 'select' }, 'ValidationException'],
    [{ workgroupName: 'sales', dbName: '' }, 'ValidationException'],
    [{ workgroupName: 'sales', durationSeconds: 899 }, 'ValidationException'],
    [{ workgroupName: 'sales', durationSeconds: 3601 }, 'ValidationException'],
    [{ workgroupName: 'sales', durationSeconds: '900' }, 'ValidationException'],
    [{ customDomainName: 'localhost' }, 'ValidationException'],
    [{ workgroupName: 1 }, 'SerializationException'],
    [[], 'SerializationException'],
    [{ workgroupName: 'missing' }, 'ResourceNotFoundException'],
  ])('with %j is refused', async (input, type) => {
    expect(refusal(await ask('GetCredentials', input))).toEqual([400, type]);
  });
});

describe('GetWorkgroup', () => {
  test('says where to connect', async () => {
    const { status, value } = await ask('GetWorkgroup', { workgroupName: 'sales' });
    expect(status).toBe(200);
    expect(value['workgroup']).toMatchObject({
      workgroupName: 'sales',
      status: 'AVAILABLE',
      endpoint: { address: 'localhost', port: 5439 },
    });
  });

  test.each([
    [{}, 'ValidationException'],
    [{ workgroupName: 'missing' }, 'ResourceNotFoundException'],
  ])('with %j is refused', async (input, type) => {
    expect(refusal(await ask('GetWorkgroup', input))).toEqual([400, type]);
  });
});

describe('Redshift Serverless', () => {
  const scope = '20260615/us-east-1/redshift/aws4_request';
  test.each<[string, HmacSteps, string]>([
    ['a signature for another service', { scope }, 'InvalidSignatureException'],
    ['an unsigned target', { unsigned: ['x-amz-target'] }, 'InvalidSignatureException'],
    ['no token', { without: 'x-amz-security-token' }, 'UnrecognizedClientException'],
    ['no date', { without: 'x-amz-date' }, 'IncompleteSignatureException'],
    ['a body that is no JSON', { body: '{' }, 'SerializationException'],
    ['another content type', { contentType: 'application/json' }, 'UnknownOperationException'],
    ['another operation', { target: 'RedshiftServerless.DeleteWorkgroup' }, 'UnknownOperationException'],
    ['another service', { target: 'toString' }, 'UnknownOperationException'],
  ])('refuses %s', async (_, steps, type) => {
    expect(refusal(await ask('GetWorkgroup', { workgroupName: 'sales' }, steps))).toEqual([400, type]);
  });

  test('refuses a request without a signature', async () => {
    const answer = await session.service.send({
      method: 'POST',
      target: '/',
      headers: [
        ['host', session.service.host],
        ['x-amz-target', 'RedshiftServerless.GetWorkgroup'],
      ],
      body: '{}',
    });
    expect(answer.headers['x-amzn-errortype']).toBe('MissingAuthenticationTokenException');
  });

  test('refuses an expired session', async () => {
    const date = (session.service.time = new Date(noon.getTime() + 3_600_000));
    const reply = await ask('GetWorkgroup', { workgroupName: 'sales' }, { date });
    expect(refusal(reply)).toEqual([400, 'ExpiredTokenException']);
  });

  test.each([
    ['throttle:1', 400, 'ThrottlingException'],
    ['error:AccessDeniedException:1', 400, 'AccessDeniedException'],
    ['error:500:1', 500, 'InternalServerException'],
    ['error:403:1', 403, 'AccessDeniedException'],
  ])('words the fault %s in its own way', async (fault, status, type) => {
    await using service = await TestService.start([session.authority], { faults: [fault] });
    expect(refusal(await ask('GetWorkgroup', {}, {}, { service }))).toEqual([status, type]);
  });
});
