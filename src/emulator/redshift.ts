import { accountId } from './account.ts';
import type { Grantee, Redshift } from './database-credentials.ts';
import { databaseAddress, exists, identityUser, issueCredentials } from './database-credentials.ts';
import { verifyHmacSignature } from './hmac-signature.ts';
import type { HttpRequest } from './http-request.ts';
import { queryAnswer, queryError, queryParameters } from './query-protocol.ts';
import {
  customDomainPattern,
  databaseNameFault,
  groupNameFault,
  isClusterIdentifier,
  userNameFault,
} from './redshift-names.ts';
import type { Answer, Operation } from './operation.ts';
import { ServiceError } from './service-error.ts';
import type { IssuedSession } from './sessions.ts';
import { isoSeconds } from './time.ts';
import { element, text } from './xml.ts';

const namespace = 'http://redshift.amazonaws.com/doc/2012-12-01/';
export const redshiftVersion = '2012-12-01';

type Parameters = ReadonlyMap<string, string>;

interface Call {
  readonly redshift: Redshift;
  readonly parameters: Parameters;
  readonly session: IssuedSession;
  readonly now: Date;
}

interface Result {
  readonly elements: readonly string[];
  readonly details: Answer['details'];
}

const actions: Readonly<Record<string, (call: Call) => Result | Promise<Result>>> = {
  GetClusterCredentials: (call) => credentials(call, databaseUser(call.parameters)),
  GetClusterCredentialsWithIAM: (call) => credentials(call, identityUser(call.session)),
  DescribeClusters: describeClusters,
};

/** Amazon Redshift, for sessions that this emulator issued (its API reference, 2012-12-01). */
export function redshiftOperation(redshift: Redshift, request: HttpRequest): Operation {
  const parameters = queryParameters(request);
  const action = parameters.get('Action') ?? '';
  const perform = Object.hasOwn(actions, action) ? actions[action] : undefined;
  return {
    name: perform === undefined ? 'unknown' : action,
    run: async (now, requestId) => {
      const session = verifyHmacSignature(redshift.sessions, request, 'redshift', now);
      if (perform === undefined) {
        throw new ServiceError(
          'InvalidAction',
          `Could not find operation ${action} for version ${redshiftVersion}`,
        );
      }
      const { elements, details } = await perform({ redshift, parameters, session, now });
      const { assumedRoleArn } = session;
      return queryAnswer({ namespace, action, requestId }, elements, { assumedRoleArn, ...details });
    },
    fail: (error, requestId) => queryError(namespace, error, requestId),
  };
}

async function credentials({ redshift, parameters, now }: Call, grantee: Grantee): Promise<Result> {
  const cluster = findCluster(parameters);
  const duration = readDuration(parameters.get('DurationSeconds'));
  const issued = await issueCredentials(redshift, grantee, duration, now);
  return {
    elements: [
      text('DbUser', issued.dbUser),
      text('DbPassword', issued.dbPassword.expose()),
      text('Expiration', isoSeconds(issued.expiration)),
      ...(grantee.user === undefined ? [text('NextRefreshTime', isoSeconds(issued.nextRefreshTime))] : []),
    ],
    details: { cluster, ...issued.details },
  };
}

/** Whom GetClusterCredentials asks for; the prefix of the login says whether the user may be made. */
function databaseUser(parameters: Parameters): Grantee {
  const user = parameters.get('DbUser');
  if (user === undefined) {
    throw new ServiceError('MissingParameter', 'The request must contain the parameter DbUser.');
  }
  checkName('DbUser', user, userNameFault);
  const database = parameters.get('DbName');
  if (database !== undefined) checkName('DbName', database, databaseNameFault);
  const groups = readGroups(parameters);
  for (const group of groups) checkName('DbGroups', group, groupNameFault);
  const create = readFlag('AutoCreate', parameters.get('AutoCreate'));
  return { name: `${create ? 'IAMA' : 'IAM'}:${user}`, user, create, groups };
}

/** `DbGroups.DbGroup.1` and on; an empty `DbGroups` is an empty list (AWS Query protocol, lists). */
function readGroups(parameters: Parameters): readonly string[] {
  const names = [...parameters.keys()].filter((name) => name.startsWith('DbGroups') && name !== 'DbGroups');
  return names.map((_, index) => {
    const group = parameters.get(`DbGroups.DbGroup.${index + 1}`);
    if (group === undefined) {
      throw new ServiceError(
        'InvalidParameterValue',
        'DbGroups is malformed',
        `expected DbGroups.DbGroup.1 to DbGroups.DbGroup.${names.length}, not ${names.join(', ')}`,
      );
    }
    return group;
  });
}

function findCluster(parameters: Parameters): string {
  const [identifier, domain] = [parameters.get('ClusterIdentifier'), parameters.get('CustomDomainName')];
  if (identifier !== undefined && domain !== undefined) {
    throw new ServiceError(
      'InvalidParameterCombination',
      'ClusterIdentifier and CustomDomainName cannot be given together.',
    );
  }
  const name = identifier ?? domain;
  if (name === undefined) {
    throw new ServiceError('MissingParameter', 'The request must contain the parameter ClusterIdentifier.');
  }
  const wellFormed = domain === undefined ? isClusterIdentifier(name) : customDomainPattern.test(name);
  if (!wellFormed || !exists(name)) {
    throw new ServiceError('ClusterNotFound', `Cluster ${name} not found.`);
  }
  return name;
}

/** Every cluster is alike; asked for all of them, the service has one. */
function describeClusters({ redshift, parameters }: Call): Result {
  const identifier = parameters.get('ClusterIdentifier') ?? 'emulator';
  const cluster = findCluster(new Map([['ClusterIdentifier', identifier]]));
  const { address, port } = databaseAddress(redshift);
  return {
    elements: [
      element('Clusters', {}, [
        element('Cluster', {}, [
          text('ClusterIdentifier', cluster),
          text('ClusterStatus', 'available'),
          text('ClusterAvailabilityStatus', 'Available'),
          text('MasterUsername', 'awsuser'),
          text('DBName', 'dev'),
          element('Endpoint', {}, [text('Address', address), text('Port', String(port))]),
          text('PubliclyAccessible', 'false'),
          text('ClusterNamespaceArn', `arn:aws:redshift:us-east-1:${accountId}:namespace:${cluster}`),
        ]),
      ]),
    ],
    details: { cluster },
  };
}

function readDuration(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(seconds >= 900 && seconds <= 3600)) {
    throw new ServiceError(
      'InvalidParameterValue',
      `Invalid value for parameter DurationSeconds: ${value}. It must be an integer from 900 to 3600.`,
    );
  }
  return seconds;
}

function readFlag(parameter: string, value = 'false'): boolean {
  if (value !== 'true' && value !== 'false') {
    throw new ServiceError(
      'InvalidParameterValue',
      `Invalid value for parameter ${parameter}: it must be true or false.`,
    );
  }
  return value === 'true';
}

function checkName(parameter: string, name: string, faultOf: (name: string) => string | undefined): void {
  const fault = faultOf(name);
  if (fault !== undefined) {
    throw new ServiceError('InvalidParameterValue', `Invalid value for parameter ${parameter}: it ${fault}.`);
  }
}
