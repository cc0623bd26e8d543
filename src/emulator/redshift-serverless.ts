import { accountId, region } from './account.ts';
import type { Redshift } from './database-credentials.ts';
import { databaseAddress, exists, identityUser, issueCredentials } from './database-credentials.ts';
import { verifyHmacSignature } from './hmac-signature.ts';
import type { HttpRequest } from './http-request.ts';
import { singleHeader } from './http-request.ts';
import { jsonAnswer, jsonError, readJsonRequest } from './json-protocol.ts';
import { customDomainPattern, databaseNameFault, workgroupPattern } from './redshift-names.ts';
import type { Answer, Operation } from './operation.ts';
import { ServiceError } from './service-error.ts';
import type { IssuedSession } from './sessions.ts';

interface Call {
  readonly redshift: Redshift;
  readonly input: Readonly<Record<string, unknown>>;
  readonly session: IssuedSession;
  readonly now: Date;
}

interface Result {
  readonly answer: object;
  readonly details: Answer['details'];
}

const operations: Readonly<Record<string, (call: Call) => Result | Promise<Result>>> = {
  'RedshiftServerless.GetCredentials': getCredentials,
  'RedshiftServerless.GetWorkgroup': getWorkgroup,
};

/** Which operation of a JSON service is asked for; undefined of a request to another service. */
export function jsonTarget(request: HttpRequest): string | undefined {
  return singleHeader(request, 'x-amz-target');
}

/** Amazon Redshift Serverless, for sessions that this emulator issued (its API reference, 2021-04-21). */
export function serverlessOperation(redshift: Redshift, request: HttpRequest, target: string): Operation {
  const perform = Object.hasOwn(operations, target) ? operations[target] : undefined;
  return {
    name: perform === undefined ? 'unknown' : target,
    run: async (now) => {
      const session = verifyHmacSignature(redshift.sessions, request, 'redshift-serverless', now);
      if (perform === undefined) {
        throw new ServiceError('InvalidAction', 'Unknown operation', `no operation ${target}`);
      }
      const { answer, details } = await perform({ redshift, input: readJsonRequest(request), session, now });
      return jsonAnswer(answer, { assumedRoleArn: session.assumedRoleArn, ...details });
    },
    fail: jsonError,
  };
}

async function getCredentials({ redshift, input, session, now }: Call): Promise<Result> {
  const workgroup = readText(input, 'workgroupName', workgroupPattern);
  const domain = readText(input, 'customDomainName', customDomainPattern);
  if ((workgroup === undefined) === (domain === undefined)) {
    throw new ServiceError(
      'ValidationException',
      'Either workgroupName or customDomainName must be given, and not both',
    );
  }
  const database = readText(input, 'dbName');
  const fault = database === undefined ? undefined : databaseNameFault(database);
  if (fault !== undefined) throw invalid('dbName', `Member ${fault}`);
  const duration = input['durationSeconds'] ?? undefined;
  if (
    duration !== undefined &&
    !(Number.isInteger(duration) && Number(duration) >= 900 && Number(duration) <= 3600)
  ) {
    throw invalid('durationSeconds', 'Member must be an integer from 900 to 3600');
  }
  const name = find(workgroup ?? domain ?? '');
  const issued = await issueCredentials(redshift, identityUser(session), duration as number | undefined, now);
  return {
    answer: {
      dbUser: issued.dbUser,
      dbPassword: issued.dbPassword.expose(),
      expiration: issued.expiration.getTime() / 1000,
      nextRefreshTime: issued.nextRefreshTime.getTime() / 1000,
    },
    details: { workgroup: name, ...issued.details },
  };
}

function getWorkgroup({ redshift, input }: Call): Result {
  const asked = readText(input, 'workgroupName', workgroupPattern);
  if (asked === undefined) throw invalid('workgroupName', 'Member must not be null');
  const workgroup = find(asked);
  return {
    answer: {
      workgroup: {
        workgroupName: workgroup,
        workgroupId: '00000000-0000-4000-8000-000000000003',
        workgroupArn: `arn:aws:redshift-serverless:${region}:${accountId}:workgroup/00000000-0000-4000-8000-000000000003`,
        namespaceName: 'emulator',
        status: 'AVAILABLE',
        endpoint: databaseAddress(redshift),
        publiclyAccessible: false,
      },
    },
    details: { workgroup },
  };
}

function find(name: string): string {
  if (!exists(name)) throw new ServiceError('ResourceNotFoundException', `Workgroup ${name} not found`);
  return name;
}

function readText(input: Call['input'], member: string, pattern?: RegExp): string | undefined {
  const value = input[member] ?? undefined;
  if (value !== undefined && typeof value !== 'string') {
    throw new ServiceError('SerializationException', `Member ${member} must be a string`);
  }
  if (value !== undefined && pattern?.test(value) === false) {
    throw invalid(member, `Member must satisfy regular expression pattern: ${pattern.source}`);
  }
  return value;
}

function invalid(member: string, constraint: string): ServiceError {
  return new ServiceError(
    'ValidationException',
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}
