import { describe, expect, test } from 'vitest';
import type { RawAnswer } from './support/exchange.ts';
import type { HmacSteps } from './support/hmac-signer.ts';
import { xmlTexts } from './support/hmac-signer.ts';
import { noon } from './support/pki.ts';
import { TestService } from './support/service.ts';
import type { Other } from './support/signed-in.ts';
import { signedIn } from './support/signed-in.ts';

const session = signedIn();

type Parameters = Readonly<Record<string, string>>;

function ask(
  action: string,
  parameters: Parameters,
  steps: HmacSteps = {},
  other: Other = {},
): Promise<RawAnswer> {
  const body = new URLSearchParams({ Action: action, Version: '2012-12-01', ...parameters }).toString();
  return session.ask('redshift', { body, ...steps }, other);
}

const database = { ClusterIdentifier: 'sales', DbName: 'dev', DbUser: 'etl' };
const getCredentials = (change: Parameters = {}): Promise<RawAnswer> =>
  ask('GetClusterCredentials', { ...database, ...change });

const code = (answer: RawAnswer): [number, string | undefined] => [
  answer.status,
  xmlTexts(answer, 'Code')[0],
];

describe('GetClusterCredentials', () => {
  test('answers in the namespace and wrapping of the API reference', async () => {
    const { status, headers, body } = await getCredentials();
    expect([status, headers['content-type']]).toEqual([200, 'text/xml']);
    expect(body).toMatch(
      new RegExp(
        '^<GetClusterCredentialsResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/">' +
          '<GetClusterCredentialsResult><DbUser>IAM:etl</DbUser><DbPassword>[^<>]+</DbPassword>' +
          '<Expiration>2026-06-15T12:15:00Z</Expiration></GetClusterCredentialsResult><ResponseMetadata>' +
          `<RequestId>${headers['x-amzn-requestid'] ?? ''}</RequestId></ResponseMetadata></GetClusterCredentialsResponse>$`,
      ),
    );
  });

  test.each([
    [{}, 'IAM:etl'],
    [{ AutoCreate: 'false' }, 'IAM:etl'],
    [{ AutoCreate: 'true' }, 'IAMA:etl'],
    [{ DbUser: 'a.B+c_d@e-1', AutoCreate: 'true' }, 'IAMA:a.B+c_d@e-1'],
    [{ DbUser: 'u'.repeat(64) }, `IAM:${'u'.repeat(64)}`],
    [{ 'DbGroups.DbGroup.1': 'readers', 'DbGroups.DbGroup.2': 'wri-ters.2' }, 'IAM:etl'],
    [{ DbGroups: '' }, 'IAM:etl'],
  ])('with %j is for the login %s', async (change, user) => {
    expect(xmlTexts(await getCredentials(change), 'DbUser')).toEqual([user]);
  });

  test('takes a custom domain instead of a cluster', async () => {
    const answer = await ask('GetClusterCredentials', { DbUser: 'etl', CustomDomainName: 'db.example.com' });
    expect(answer.status).toBe(200);
  });

  test.each([
    ['900', '2026-06-15T12:15:00Z'],
    ['3600', '2026-06-15T13:00:00Z'],
  ])('lasts %s seconds', async (DurationSeconds, expiration) => {
    expect(xmlTexts(await getCredentials({ DurationSeconds }), 'Expiration')).toEqual([expiration]);
  });

  test('lasts no longer than the emulator was told', async () => {
    await using service = await TestService.start([session.authority], { sessionTtlSeconds: 30 });
    const keys = await session.newSession(service);
    const answer = await ask('GetClusterCredentials', database, {}, { keys, service });
    expect(xmlTexts(answer, 'Expiration')).toEqual(['2026-06-15T12:00:30Z']);
  });

  test('issues a password of every awkward character, another one each time', async () => {
    const passwords: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) passwords.push(xmlTexts(await getCredentials(), 'DbPassword')[0]);
    expect(new Set(passwords).size).toBe(3);
    for (const character of `+/=@:&%;{}'"\\ `.split('')) expect(passwords[0]).toContain(character);
    expect(passwords[0]).toMatch(/^[ -~]{60,}$/);
  });

  test('logs whom it was for, and no password', async () => {
    const [password = ''] = xmlTexts(await getCredentials({ AutoCreate: 'true' }), 'DbPassword');
    expect(session.service.log.at(-1)).toMatchObject({
      ok: true,
      operation: 'GetClusterCredentials',
      cluster: 'sales',
      dbUser: 'IAMA:etl',
      assumedRoleArn: expect.stringContaining(':assumed-role/emulator/') as string,
    });
    expect(JSON.stringify(session.service.log.at(-1))).not.toContain(password.slice(0, 20));
  });

  test.each<[Parameters, string]>([
    [{ DbUser: '' }, 'InvalidParameterValue'],
    [{ DbUser: '1etl' }, 'InvalidParameterValue'],
    [{ DbUser: 'IAM:etl' }, 'InvalidParameterValue'],
    [{ DbUser: 'a/b' }, 'InvalidParameterValue'],
    [{ DbUser: 'a b' }, 'InvalidParameterValue'],
    [{ DbUser: 'étl' }, 'InvalidParameterValue'],
    [{ DbUser: 'etl\n' }, 'InvalidParameterValue'],
    [{ DbUser: 'Public' }, 'InvalidParameterValue'],
    [{ DbUser: 'Select' }, 'InvalidParameterValue'],
    [{ DbUser: 'truncatecolumns' }, 'InvalidParameterValue'],
    [{ DbUser: 'u'.repeat(65) }, 'InvalidParameterValue'],
    [{ DbName: 'table' }, 'InvalidParameterValue'],
    [{ DbName: '' }, 'InvalidParameterValue'],
    [{ 'DbGroups.DbGroup.1': 'Readers' }, 'InvalidParameterValue'],
    [{ 'DbGroups.DbGroup.1': 'readers', 'DbGroups.DbGroup.2': 'group' }, 'InvalidParameterValue'],
    [{ 'DbGroups.DbGroup.2': 'readers' }, 'InvalidParameterValue'],
    [{ 'DbGroups.member.1': 'readers' }, 'InvalidParameterValue'],
    [{ DurationSeconds: '899' }, 'InvalidParameterValue'],
    [{ DurationSeconds: '3601' }, 'InvalidParameterValue'],
    [{ DurationSeconds: '7200' }, 'InvalidParameterValue'],
    [{ DurationSeconds: '1e3' }, 'InvalidParameterValue'],
    [{ DurationSeconds: '' }, 'InvalidParameterValue'],
    [{ AutoCreate: 'True' }, 'InvalidParameterValue'],
    [{ CustomDomainName: 'db.example.com' }, 'InvalidParameterCombination'],
  ])('with %j is refused', async (change, expected) => {
    expect(code(await getCredentials(change))).toEqual([400, expected]);
  });

  test.each([
    { ClusterIdentifier: 'missing' },
    { ClusterIdentifier: 'Sales' },
    { ClusterIdentifier: 'a--b' },
  ])('with %j finds no cluster', async (change) => {
    expect(code(await getCredentials(change))).toEqual([404, 'ClusterNotFound']);
  });

  test.each(['localhost', 'missing.example.com', '-a.example.com'])(
    'finds no cluster at %s',
    async (name) => {
      const answer = await ask('GetClusterCredentials', { DbUser: 'etl', CustomDomainName: name });
      expect(code(answer)).toEqual([404, 'ClusterNotFound']);
    },
  );

  test.each([{ ClusterIdentifier: 'sales' }, { DbUser: 'etl' }])(
    'with %j alone is refused',
    async (given) => {
      expect(code(await ask('GetClusterCredentials', given))).toEqual([400, 'MissingParameter']);
    },
  );
});

describe('GetClusterCredentialsWithIAM', () => {
  test("answers for the role's own user, and says when to ask again", async () => {
    const answer = await ask('GetClusterCredentialsWithIAM', {
      ClusterIdentifier: 'sales',
      DurationSeconds: '900',
    });
    expect(answer.body).toMatch(
      /^<GetClusterCredentialsWithIAMResponse .*<GetClusterCredentialsWithIAMResult>/,
    );
    expect(xmlTexts(answer, 'DbUser')).toEqual(['IAMR:emulator']);
    expect(xmlTexts(answer, 'Expiration')).toEqual(['2026-06-15T12:15:00Z']);
    expect(xmlTexts(answer, 'NextRefreshTime')).toEqual(['2026-06-15T12:10:00Z']);
  });
});

describe('DescribeClusters', () => {
  test('says where to connect', async () => {
    const answer = await ask('DescribeClusters', { ClusterIdentifier: 'sales' });
    expect(xmlTexts(answer, 'ClusterIdentifier')).toEqual(['sales']);
    expect(answer.body).toContain('<Endpoint><Address>localhost</Address><Port>5439</Port></Endpoint>');
  });

  test('lists one when asked for all', async () => {
    expect(xmlTexts(await ask('DescribeClusters', {}), 'ClusterIdentifier')).toEqual(['emulator']);
  });

  test('finds no cluster that is missing', async () => {
    expect(code(await ask('DescribeClusters', { ClusterIdentifier: 'missing' }))).toEqual([
      404,
      'ClusterNotFound',
    ]);
  });
});

describe('Redshift', () => {
  test('may be asked in any region, and by GET', async () => {
    const scope = '20260615/eu-central-1/redshift/aws4_request';
    const query = 'Action=DescribeClusters&Version=2012-12-01';
    expect((await ask('', {}, { scope, method: 'GET', query, body: '' })).status).toBe(200);
  });

  test.each<[string, HmacSteps, number, string]>([
    [
      'a signature for another service',
      { scope: '20260615/us-east-1/sts/aws4_request' },
      403,
      'SignatureDoesNotMatch',
    ],
    ['no token', { without: 'x-amz-security-token' }, 403, 'InvalidClientTokenId'],
    ['a time six minutes ahead', { date: new Date(noon.getTime() + 360_000) }, 403, 'SignatureDoesNotMatch'],
  ])('refuses %s', async (_, steps, status, expected) => {
    expect(code(await ask('DescribeClusters', {}, steps))).toEqual([status, expected]);
  });

  test('refuses an expired session', async () => {
    const date = (session.service.time = new Date(noon.getTime() + 3_600_000));
    expect(code(await ask('DescribeClusters', {}, { date }))).toEqual([403, 'ExpiredToken']);
  });

  test('refuses a wrong secret', async () => {
    const keys = { secretAccessKey: 'wrong' };
    expect(code(await ask('DescribeClusters', {}, {}, { keys }))).toEqual([403, 'SignatureDoesNotMatch']);
  });

  test.each(['CreateCluster', 'toString'])('does not know %s', async (action) => {
    expect(code(await ask(action, {}))).toEqual([400, 'InvalidAction']);
  });

  test.each([
    ['throttle:1', 400, 'Throttling'],
    ['error:AccessDeniedException:1', 403, 'AccessDenied'],
    ['error:UnsupportedOperation:1', 400, 'UnsupportedOperation'],
    ['error:500:1', 500, 'InternalFailure'],
    ['error:429:1', 429, 'Throttling'],
  ])('words the fault %s in its own way', async (fault, status, expected) => {
    await using service = await TestService.start([session.authority], { faults: [fault] });
    expect(code(await ask('DescribeClusters', {}, {}, { service }))).toEqual([status, expected]);
  });
});
