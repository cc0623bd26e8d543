import { describe, expect, test } from 'vitest';
import { parseArn } from '../../src/aws/arn.ts';
import { permissionPolicy, trustPolicy } from '../../src/redshift/policy.ts';
import { type DatabaseRequest, prepareDatabase } from '../../src/redshift/request.ts';

const policyOf = (request: Partial<DatabaseRequest>) =>
  permissionPolicy(prepareDatabase({ region: 'eu-central-1', ...request }), '111122223333');
const arn = (type: string, name: string): string =>
  `arn:aws:redshift:eu-central-1:111122223333:${type}:warehouse/${name}`;

describe('the least that a role needs', () => {
  test.each<[string, Partial<DatabaseRequest>, Record<string, string | string[]>]>([
    [
      'as its own user',
      { cluster: 'warehouse', host: 'h' },
      { 'redshift:GetClusterCredentialsWithIAM': arn('dbname', 'dev') },
    ],
    [
      'as a user that is named',
      { cluster: 'warehouse', dbUser: 'etl', database: 'sales' },
      {
        'redshift:GetClusterCredentials': [arn('dbuser', 'etl'), arn('dbname', 'sales')],
        'redshift:DescribeClusters': 'arn:aws:redshift:eu-central-1:111122223333:cluster:warehouse',
      },
    ],
    [
      'as a user that is made, in groups',
      {
        cluster: 'warehouse',
        dbUser: 'etl',
        autoCreate: true,
        dbGroups: ['a', 'b'],
        customDomain: 'w.example.com',
      },
      {
        'redshift:GetClusterCredentials': [
          arn('dbuser', 'etl'),
          arn('dbname', 'dev'),
          arn('dbgroup', 'a'),
          arn('dbgroup', 'b'),
        ],
        'redshift:CreateClusterUser': arn('dbuser', 'etl'),
        'redshift:JoinGroup': [arn('dbgroup', 'a'), arn('dbgroup', 'b')],
      },
    ],
    [
      'in a cluster that only its domain name tells',
      { customDomain: 'w.example.com', dbUser: 'etl' },
      {
        'redshift:GetClusterCredentials': [
          arn('dbuser', 'etl').replace('warehouse', '*'),
          arn('dbname', 'dev').replace('warehouse', '*'),
        ],
      },
    ],
    [
      'in a workgroup',
      { workgroup: 'reports' },
      {
        'redshift-serverless:GetCredentials':
          'arn:aws:redshift-serverless:eu-central-1:111122223333:workgroup/*',
        'redshift-serverless:GetWorkgroup':
          'arn:aws:redshift-serverless:eu-central-1:111122223333:workgroup/*',
      },
    ],
    [
      'in a workgroup whose address is known',
      { workgroup: 'reports', host: 'h' },
      {
        'redshift-serverless:GetCredentials':
          'arn:aws:redshift-serverless:eu-central-1:111122223333:workgroup/*',
      },
    ],
    [
      'in China',
      { region: 'cn-north-1', cluster: 'warehouse', host: 'h' },
      {
        'redshift:GetClusterCredentialsWithIAM':
          'arn:aws-cn:redshift:cn-north-1:111122223333:dbname:warehouse/dev',
      },
    ],
  ])('%s', (_, request, allowed) => {
    const { Statement } = policyOf(request);
    expect(Object.fromEntries(Statement.map(({ Action, Resource }) => [Action, Resource]))).toEqual(allowed);
    for (const { Sid, Effect } of Statement)
      expect([/^[A-Za-z]+$/.test(Sid), Effect]).toEqual([true, 'Allow']);
  });
});

test('only certificates of one trust anchor, and of one name, may be the role', () => {
  const anchor = parseArn(
    '--trust-anchor-arn',
    'arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a',
  );
  const statement = (name: string | undefined) => trustPolicy(anchor, name).Statement[0];
  expect(statement('db-1')).toEqual({
    Effect: 'Allow',
    Principal: { Service: 'rolesanywhere.amazonaws.com' },
    Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
    Condition: {
      ArnEquals: { 'aws:SourceArn': anchor.text },
      StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'db-1' },
    },
  });
  expect(statement(undefined)?.Condition).toEqual({ ArnEquals: { 'aws:SourceArn': anchor.text } });
});
