import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionOptions } from '../../src/aws/http.ts';
import { getDatabaseCredentials } from '../../src/redshift/credentials.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { type DatabaseRequest, prepareDatabase } from '../../src/redshift/request.ts';
import { localService, quick, type Scripted } from '../aws/local-service.ts';

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const aws = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'canary-secret', sessionToken: 'canary-token' };
const inAnHour = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
const inHalfAnHour = new Date(inAnHour.getTime() - 1_800_000);
const awkward = '+/=@:&%;{}\'"\\ canary';

const inXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('+', '&#43;');
const login = (action: string, { user = 'IAM:etl', password = awkward, more = '' } = {}): Scripted => ({
  status: 200,
  body: `<${action}Response xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><${action}Result>
    <DbUser>${user}</DbUser><DbPassword>${inXml(password)}</DbPassword>
    <Expiration>${inAnHour.toISOString()}</Expiration>${more}
  </${action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${action}Response>`,
});
const described: Scripted = {
  status: 200,
  body: `<DescribeClustersResponse><DescribeClustersResult><Clusters><Cluster>
    <ClusterNodes><member><PrivateIPAddress>10.0.0.9</PrivateIPAddress></member></ClusterNodes>
    <Endpoint><Port>5440</Port><Address>c.abc.us-east-1.redshift.amazonaws.com</Address></Endpoint>
  </Cluster></Clusters></DescribeClustersResult></DescribeClustersResponse>`,
};
const json = (value: unknown): Scripted => ({ status: 200, body: JSON.stringify(value) });
const seconds = (date: Date): number => date.getTime() / 1000;

/** One request against scripted answers: what came out, and what was asked, by name and parameters. */
async function ask(
  answers: readonly Scripted[],
  request: Omit<DatabaseRequest, 'region'>,
  connection: ConnectionOptions = {},
  isRenewable = true,
) {
  await using service = await localService(answers);
  vi.stubEnv('AWS_ENDPOINT_URL_REDSHIFT', `http://127.0.0.1:${service.port}`);
  vi.stubEnv('AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS', `http://127.0.0.1:${service.port}/serverless`);
  const renewals: boolean[] = [];
  const source = (options: { forceRefresh?: boolean } = {}) => {
    renewals.push(options.forceRefresh ?? false);
    return Promise.resolve({ ...aws, accessKeyId: isRenewable ? `ASIA${renewals.length}` : aws.accessKeyId });
  };
  const prepared = prepareDatabase({ region: 'us-east-1', ...request });
  const outcome = await getDatabaseCredentials(prepared, source, { ...quick, ...connection }).catch(
    (error: unknown) => error,
  );
  return { outcome, renewals, received: service.received };
}

function ourError(outcome: unknown): RolesAnywhereError {
  if (outcome instanceof RolesAnywhereError) return outcome;
  return expect.fail(`not one of our errors: ${inspect(outcome)}`);
}

describe('a provisioned cluster', () => {
  test('as a user that is named', async () => {
    const { outcome, received } = await ask([login('GetClusterCredentials'), described], {
      cluster: 'warehouse',
      dbUser: 'etl',
      autoCreate: true,
      dbGroups: ['readers', 'w+riters'],
      durationSeconds: 3600,
    });
    expect(outcome).toEqual({
      dbUser: 'IAM:etl',
      dbPassword: awkward,
      opened: expect.any(Date) as Date,
      expiration: inAnHour,
      host: 'c.abc.us-east-1.redshift.amazonaws.com',
      port: 5440,
      database: 'dev',
    });
    expect(received.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
      {
        Action: 'GetClusterCredentials',
        Version: '2012-12-01',
        ClusterIdentifier: 'warehouse',
        DbName: 'dev',
        DbUser: 'etl',
        AutoCreate: 'true',
        'DbGroups.DbGroup.1': 'readers',
        'DbGroups.DbGroup.2': 'w+riters',
        DurationSeconds: '3600',
      },
      { Action: 'DescribeClusters', Version: '2012-12-01', ClusterIdentifier: 'warehouse' },
    ]);
    expect(received[0]?.headers).toMatchObject({
      'x-amz-security-token': 'canary-token',
      authorization: expect.stringMatching(/\/us-east-1\/redshift\/aws4_request, /u) as string,
    });
  });

  test('as the user that IAM’s identity maps to', async () => {
    const more = `<NextRefreshTime>${inHalfAnHour.toISOString()}</NextRefreshTime>`;
    const answer = login('GetClusterCredentialsWithIAM', { user: 'IAMR:etl', more });
    const { outcome, received } = await ask([answer], { cluster: 'warehouse', host: 'h', database: 'sales' });
    expect(outcome).toMatchObject({ dbUser: 'IAMR:etl', nextRefresh: inHalfAnHour, host: 'h', port: 5439 });
    expect(received.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
      {
        Action: 'GetClusterCredentialsWithIAM',
        Version: '2012-12-01',
        ClusterIdentifier: 'warehouse',
        DbName: 'sales',
        DurationSeconds: '900',
      },
    ]);
  });

  test('by its custom domain, which needs no description', async () => {
    const answer = login('GetClusterCredentials');
    const { outcome, received } = await ask([answer], { customDomain: 'w.example.com', dbUser: 'etl' });
    expect(outcome).toMatchObject({ host: 'w.example.com', port: 5439 });
    expect(received).toHaveLength(1);
    expect(received[0]?.body).toContain('CustomDomainName=w.example.com');
    expect(received[0]?.body).not.toContain('ClusterIdentifier');
  });

  test('at the host that was given, rather than by its custom domain', async () => {
    const request = { customDomain: 'w.example.com', dbUser: 'etl', host: '::1' };
    const { outcome } = await ask([login('GetClusterCredentials')], request);
    expect(outcome).toMatchObject({ host: '::1', port: 5439 });
  });

  test('the port that was given, at the host that is described', async () => {
    const { outcome } = await ask([login('GetClusterCredentials'), described], {
      cluster: 'warehouse',
      dbUser: 'etl',
      port: 1234,
    });
    expect(outcome).toMatchObject({ host: 'c.abc.us-east-1.redshift.amazonaws.com', port: 1234 });
  });
});

describe('a serverless workgroup', () => {
  const answer = {
    dbUser: 'IAMR:etl',
    dbPassword: awkward,
    expiration: seconds(inAnHour),
    nextRefreshTime: seconds(inHalfAnHour) + 0.123,
  };

  test('by its name', async () => {
    const workgroup = { workgroup: { endpoint: { address: 'wg.example', port: 5441, vpcEndpoints: [] } } };
    const { outcome, received } = await ask([json(answer), json(workgroup)], {
      workgroup: 'reports',
      durationSeconds: 1200,
    });
    expect(outcome).toEqual({
      dbUser: 'IAMR:etl',
      dbPassword: awkward,
      opened: expect.any(Date) as Date,
      expiration: inAnHour,
      nextRefresh: new Date(inHalfAnHour.getTime() + 123),
      host: 'wg.example',
      port: 5441,
      database: 'dev',
    });
    const asked = received.map(({ url, headers, body }) => [
      url,
      headers['x-amz-target'],
      headers['content-type'],
      JSON.parse(body) as unknown,
    ]);
    expect(asked).toEqual([
      [
        '/serverless/',
        'RedshiftServerless.GetCredentials',
        'application/x-amz-json-1.1',
        { workgroupName: 'reports', dbName: 'dev', durationSeconds: 1200 },
      ],
      [
        '/serverless/',
        'RedshiftServerless.GetWorkgroup',
        'application/x-amz-json-1.1',
        { workgroupName: 'reports' },
      ],
    ]);
    expect(received[0]?.headers.authorization).toContain('/us-east-1/redshift-serverless/aws4_request');
  });

  test('by its custom domain', async () => {
    const { outcome, received } = await ask([json(answer)], {
      workgroup: 'reports',
      customDomain: 'w.example.com',
    });
    expect(outcome).toMatchObject({ host: 'w.example.com', port: 5439 });
    expect(JSON.parse(received[0]?.body ?? '')).toEqual({
      customDomainName: 'w.example.com',
      dbName: 'dev',
      durationSeconds: 900,
    });
  });
});

const etl = { cluster: 'warehouse', dbUser: 'etl', host: 'h' };
const refusal = (code: string, message = 'no', status = 400): Scripted => ({
  status,
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
});

describe('an AWS session that has expired', () => {
  test('is renewed once', async () => {
    const { outcome, renewals } = await ask([refusal('ExpiredToken'), login('GetClusterCredentials')], etl);
    expect(outcome).toMatchObject({ dbUser: 'IAM:etl' });
    expect(renewals).toEqual([false, true]);
  });

  test('in the words of serverless too', async () => {
    const expired: Scripted = {
      status: 400,
      headers: { 'x-amzn-errortype': 'ExpiredTokenException' },
      body: '{"message":"The security token included in the request is expired"}',
    };
    const { renewals } = await ask([expired], { workgroup: 'reports', host: 'h' });
    expect(renewals).toEqual([false, true]);
  });

  test('and not for ever', async () => {
    const { outcome, renewals, received } = await ask([refusal('ExpiredToken')], etl);
    expect(outcome).toMatchObject({ code: 'SERVICE_REFUSED' });
    expect([renewals.length, received.length]).toEqual([2, 2]);
  });

  test('and asks nothing again with the same credentials, as those of the environment are', async () => {
    const { outcome, received } = await ask([refusal('ExpiredToken')], etl, {}, false);
    expect(outcome).toMatchObject({ code: 'SERVICE_REFUSED' });
    expect(received).toHaveLength(1);
  });
});

describe('throttling', () => {
  test.each([
    ['Throttling', 400, 'Rate exceeded'],
    ['ThrottlingException', 400, 'slow'],
    ['RequestThrottledException', 400, 'slow'],
    ['Whatever', 400, 'Rate exceeded'],
    ['Whatever', 429, 'slow'],
  ])('%s, status %i, %s: is waited out, and told once', async (code, status, message) => {
    const warnings: string[] = [];
    const reporter = { warn: (text: string) => warnings.push(text), debug: () => undefined };
    const throttled = Array.from({ length: 9 }, () => refusal(code, message, status));
    const answers = [...throttled, login('GetClusterCredentials')];
    const { outcome, received } = await ask(answers, etl, { reporter });
    expect(outcome).toMatchObject({ dbUser: 'IAM:etl' });
    expect(received).toHaveLength(10);
    expect(warnings.filter((text) => text.includes(code))).toHaveLength(1);
  });

  test('for the same time in all, whichever calls it meets', async () => {
    let passed = 0;
    vi.spyOn(process, 'uptime').mockImplementation(() => passed / 1000);
    const sleep = (milliseconds: number): Promise<void> => {
      passed += milliseconds;
      return Promise.resolve();
    };
    const throttled = Array.from({ length: 10 }, () => refusal('Throttling', 'Rate exceeded'));
    const answers = [...throttled, login('GetClusterCredentials'), refusal('Throttling', 'Rate exceeded')];
    const { outcome, received } = await ask(
      answers,
      { cluster: 'warehouse', dbUser: 'etl' },
      { timeoutSeconds: 60, sleep, random: () => 1 },
    );
    vi.restoreAllMocks();
    expect(outcome).toMatchObject({ code: 'SERVICE_TIMEOUT' });
    expect(received.at(-1)?.body).toContain('DescribeClusters');
    expect(passed).toBeLessThan(61_000);
  });

  test('other failures are not waited out so long', async () => {
    const { outcome, received } = await ask([refusal('InternalFailure', 'oops', 500)], etl);
    expect(outcome).toMatchObject({ code: 'SERVICE_FAILED' });
    expect(received).toHaveLength(5);
  });
});

describe('a refusal', () => {
  test.each([
    ['AccessDenied', 403, /redshift policy/],
    ['ClusterNotFound', 404, /--cluster.*--custom-domain/],
    ['InvalidClientTokenId', 403, /credentials/],
    ['SignatureDoesNotMatch', 403, /^$/],
    ['Unheard', 400, /^$/],
    ['Cluster', 400, /^$/],
  ])('%s has the service’s words and the cure', async (code, status, hint) => {
    const { outcome } = await ask([refusal(code, 'User: x is not authorized', status)], etl);
    const error = ourError(outcome);
    expect(error.code).toBe('SERVICE_REFUSED');
    for (const fact of [code, 'not authorized', 'r-1']) expect(error.message).toContain(fact);
    expect(error.hint ?? '').toMatch(hint);
  });

  test('in serverless’s form', async () => {
    const body = '{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not authorized"}';
    const { outcome } = await ask([{ status: 400, body }], { workgroup: 'reports' });
    expect(outcome).toMatchObject({
      code: 'SERVICE_REFUSED',
      hint: expect.stringContaining('redshift policy') as string,
    });
  });
});

describe('an answer that is unusable', () => {
  const past = '2001-01-01T00:00:00Z';
  const xmlLogin = (user: string, password: string, expiration: string): Scripted => ({
    status: 200,
    body: `<GetClusterCredentialsResponse><GetClusterCredentialsResult><DbUser>${user}</DbUser><DbPassword>${password}</DbPassword><Expiration>${expiration}</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>`,
  });
  test.each<[string, Scripted]>([
    ['a page of a proxy', { status: 200, body: '<html>canary</html>' }],
    ['nothing', { status: 200, body: '' }],
    ['an empty password', xmlLogin('IAM:etl', '', inAnHour.toISOString())],
    ['a password of two lines', xmlLogin('IAM:etl', 'canary&#10;b', inAnHour.toISOString())],
    ['no user', xmlLogin('', 'canary', inAnHour.toISOString())],
    ['an expiration that is past', xmlLogin('IAM:etl', 'canary', past)],
    ['an expiration that is no time', xmlLogin('IAM:etl', 'canary', 'soon')],
    ['an expiration in no time zone', xmlLogin('IAM:etl', 'canary', '2999-01-01T00:00:00')],
  ])('%s', async (_, answer) => {
    const { outcome } = await ask([answer], etl);
    const error = ourError(outcome);
    expect(error.code).toBe('SERVICE_FAILED');
    expect(inspect(error)).not.toContain('canary');
  });

  test.each([['[]'], ['null'], ['canary'], ['{"dbUser":{},"dbPassword":"canary","expiration":2000000000}']])(
    'of serverless: %s',
    async (body) => {
      const { outcome } = await ask([{ status: 200, body }], { workgroup: 'reports', host: 'h' });
      const error = ourError(outcome);
      expect(error.code).toBe('SERVICE_FAILED');
      expect(inspect(error)).not.toContain('canary');
    },
  );

  test.each(['a&#10;*:*:*:*:canary', '&#27;[2J', '/tmp/socket', 'h,other', ''])(
    'a cluster at %s',
    async (address) => {
      const body = described.body?.replace(/(?<=<Address>)[^<]*/, address) ?? '';
      const { outcome } = await ask([login('GetClusterCredentials'), { ...described, body }], {
        cluster: 'warehouse',
        dbUser: 'etl',
      });
      const error = ourError(outcome);
      expect(error.code).toBe('SERVICE_FAILED');
      expect(inspect(error)).not.toContain('canary');
    },
  );

  test.each([
    '',
    '<Clusters><Cluster><Endpoint><Port>5439</Port></Endpoint></Cluster></Clusters>',
    '<Clusters><Cluster><Endpoint><Address></Address><Port>5439</Port></Endpoint></Cluster></Clusters>',
    '<Clusters><Cluster><Endpoint><Address>h</Address></Endpoint></Cluster></Clusters>',
  ])('a cluster without an address: %s', async (clusters) => {
    const paused = `<DescribeClustersResponse><DescribeClustersResult>${clusters}</DescribeClustersResult></DescribeClustersResponse>`;
    const answers = [login('GetClusterCredentials'), { status: 200, body: paused }];
    const { outcome } = await ask(answers, { cluster: 'warehouse', dbUser: 'etl' });
    expect(outcome).toMatchObject({
      code: 'SERVICE_FAILED',
      hint: expect.stringContaining('--host') as string,
    });
  });
});
