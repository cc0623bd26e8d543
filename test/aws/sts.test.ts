import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { getCallerIdentity } from '../../src/aws/sts.ts';
import { failure } from './failure.ts';
import { localService, quick } from './local-service.ts';

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const credentials = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'canary-secret',
  sessionToken: 'canary-token',
  expiration: new Date(Date.now() + 3_600_000),
};
const arn = 'arn:aws:sts::123456789012:assumed-role/R/a&b';
const body = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
  <Arn>${arn.replace('&', '&amp;')}</Arn><UserId>AROA:2a</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>`;

test('asks STS by the query protocol, with the session token', async () => {
  await using service = await localService([{ status: 200, body }]);
  vi.stubEnv('AWS_ENDPOINT_URL_STS', `http://127.0.0.1:${service.port}/sts`);
  expect(await getCallerIdentity(credentials, { ...quick, region: 'us-east-1' })).toEqual({
    userId: 'AROA:2a',
    account: '123456789012',
    arn,
  });
  const [request] = service.received;
  expect(request).toMatchObject({
    method: 'POST',
    url: '/sts/',
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
  });
  expect(request?.headers).toMatchObject({
    host: `127.0.0.1:${service.port}`,
    'x-amz-security-token': 'canary-token',
    authorization: expect.stringMatching(
      /^AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE\/\d{8}\/us-east-1\/sts\/aws4_request, SignedHeaders=[^ ]*host[^ ]*, Signature=[0-9a-f]{64}$/u,
    ) as string,
  });
});

test('a refusal has the words of STS', async () => {
  const refusal =
    '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The token is invalid</Message></Error><RequestId>r-1</RequestId></ErrorResponse>';
  await using service = await localService([{ status: 403, body: refusal }]);
  const endpoint = `http://127.0.0.1:${service.port}`;
  const error = await failure(() =>
    getCallerIdentity(credentials, { ...quick, region: 'us-east-1', endpoint }),
  );
  expect(error.code).toBe('SERVICE_REFUSED');
  for (const fact of ['InvalidClientTokenId', 'The token is invalid', 'r-1'])
    expect(error.message).toContain(fact);
  expect(error.message).not.toContain('canary');
});

test('an answer that names no caller', async () => {
  await using service = await localService([{ status: 200, body: '<html>hello</html>' }]);
  const endpoint = `http://127.0.0.1:${service.port}`;
  const error = await failure(() =>
    getCallerIdentity(credentials, { ...quick, region: 'us-east-1', endpoint }),
  );
  expect(error.code).toBe('SERVICE_FAILED');
});
