import type { Arn } from '../aws/arn.ts';
import { partitionOfRegion } from '../aws/partitions.ts';
import type { PreparedDatabase } from './request.ts';

export interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

export interface Policy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

/**
 * The least that a role must be allowed for a request (Service Authorization Reference, "Amazon Redshift" and "Amazon
 * Redshift Serverless").
 *
 * @param account the database's, 12 digits
 */
export function permissionPolicy(request: PreparedDatabase, account: string): Policy {
  const statements =
    request.workgroup === undefined
      ? clusterStatements(request, account)
      : serverlessStatements(request, account);
  return { Version: '2012-10-17', Statement: statements };
}

function clusterStatements(request: PreparedDatabase, account: string): readonly Statement[] {
  const { cluster = '*', database, dbUser, dbGroups, autoCreate, host, customDomain } = request;
  const arn = (type: string, name: string): string =>
    arnOf(request.region, 'redshift', account, `${type}:${cluster}/${name}`);
  const isAddressKnown = host !== undefined || customDomain !== undefined;
  const statements = [];
  if (dbUser === undefined) {
    statements.push(allow('LogIn', 'redshift:GetClusterCredentialsWithIAM', arn('dbname', database)));
  } else {
    const groups = dbGroups.map((group) => arn('dbgroup', group));
    const user = arn('dbuser', dbUser);
    statements.push(
      allow('LogIn', 'redshift:GetClusterCredentials', [user, arn('dbname', database), ...groups]),
    );
    if (autoCreate) statements.push(allow('MakeUser', 'redshift:CreateClusterUser', user));
    if (groups.length > 0) statements.push(allow('JoinGroups', 'redshift:JoinGroup', groups));
  }
  if (!isAddressKnown) {
    const itself = arnOf(request.region, 'redshift', account, `cluster:${cluster}`);
    statements.push(allow('FindDatabase', 'redshift:DescribeClusters', itself));
  }
  return statements;
}

/** A workgroup's ARN has an identifier that the service made, and not its name. */
function serverlessStatements(
  { region, host, customDomain }: PreparedDatabase,
  account: string,
): readonly Statement[] {
  const workgroups = arnOf(region, 'redshift-serverless', account, 'workgroup/*');
  const logIn = allow('LogIn', 'redshift-serverless:GetCredentials', workgroups);
  if (host !== undefined || customDomain !== undefined) return [logIn];
  return [logIn, allow('FindDatabase', 'redshift-serverless:GetWorkgroup', workgroups)];
}

/**
 * The least that lets certificates of one trust anchor be the role (IAM Roles Anywhere User Guide, "Trust policy").
 *
 * @param commonName of the only certificate that may
 */
export function trustPolicy(trustAnchor: Arn, commonName: string | undefined) {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'rolesanywhere.amazonaws.com' },
        Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
        Condition: {
          ArnEquals: { 'aws:SourceArn': trustAnchor.text },
          ...(commonName === undefined
            ? {}
            : { StringEquals: { 'aws:PrincipalTag/x509Subject/CN': commonName } }),
        },
      },
    ],
  };
}

function allow(Sid: string, Action: string, Resource: Statement['Resource']): Statement {
  return { Sid, Effect: 'Allow', Action, Resource };
}

function arnOf(region: string, service: string, account: string, resource: string): string {
  return `arn:${partitionOfRegion(region) ?? 'aws'}:${service}:${region}:${account}:${resource}`;
}
