import type { ConnectionOptions } from '../aws/http.ts';
import { callService, queryRequest, type ServiceCall } from '../aws/service-call.ts';
import { xml } from '../aws/xml.ts';
import { RolesAnywhereError } from '../errors.ts';
import type { HmacCredentials } from '../sigv4/hmac.ts';
import { hintForRedshift } from './hints.ts';
import { isName } from './names.ts';

/** A login that the API made, good until its expiration. */
export interface Login {
  /** The name to log in with, `IAM:`, `IAMA:` or `IAMR:` included: not the one that was asked for. */
  readonly dbUser: string;
  readonly dbPassword: string;
  /** When it was made; this and the following by the service's clock. */
  readonly opened: Date;
  readonly expiration: Date;
  /** When to ask again, where the API says so. */
  readonly nextRefresh?: Date;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ApiAnswer {
  /** A text by what leads to it: element names in XML, member names in JSON. */
  readonly field: (...path: readonly string[]) => string | undefined;
  /** When it came, by the service's clock if that is far from ours. */
  readonly now: Date;
}

/** One of the two services: its operations by the names of their parameters. */
export type Ask = (
  action: string,
  parameters: Readonly<Record<string, string>>,
  region: string,
  credentials: HmacCredentials,
  connection: ConnectionOptions,
) => Promise<ApiAnswer>;

const shared = { hintFor: hintForRedshift, isShared: true } as const;

/** Amazon Redshift: the query protocol, version 2012-12-01, answered in XML. */
export const askRedshift: Ask = async (action, parameters, region, credentials, connection) => {
  const request = queryRequest(action, '2012-12-01', parameters);
  const about: Pick<ServiceCall, 'service' | 'name'> = { service: 'redshift', name: 'Amazon Redshift' };
  const { answer, now } = await callService(
    { ...about, ...shared, region, ...request },
    credentials,
    connection,
  );
  return { field: (...path) => xml(answer.body, `${action}Response`, `${action}Result`, ...path), now };
};

/** Amazon Redshift Serverless: JSON 1.1. All parameters are texts but the one number. */
export const askServerless: Ask = async (action, parameters, region, credentials, connection) => {
  const { durationSeconds, ...texts } = parameters;
  const { answer, now } = await callService(
    {
      service: 'redshift-serverless',
      name: 'Amazon Redshift Serverless',
      ...shared,
      region,
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `RedshiftServerless.${action}`,
      },
      body: JSON.stringify({
        ...texts,
        ...(durationSeconds === undefined ? {} : { durationSeconds: Number(durationSeconds) }),
      }),
    },
    credentials,
    connection,
  );
  const root = parse(answer.body);
  const field: ApiAnswer['field'] = (...path) => {
    let value = root;
    for (const name of path) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
  };
  return { field, now };
};

/**
 * Reads and checks the login in an answer. Messages name what is wrong and never show a value.
 *
 * @param names the answer's own for the four fields
 * @throws RolesAnywhereError SERVICE_FAILED
 */
export function readLogin(
  { field, now }: ApiAnswer,
  names: Readonly<Record<'dbUser' | 'dbPassword' | 'expiration' | 'nextRefresh', string>>,
): Login {
  const text = (name: string): string => {
    const value = field(name);
    if (value === undefined || value === '') throw unusable(`${name} is missing`);
    // A line end would split a password file's line, and NUL end an environment variable.
    if (/\p{Cc}/u.test(value)) throw unusable(`${name} holds control characters`);
    return value;
  };
  const expiration = readTime(text(names.expiration));
  if (expiration === undefined) throw unusable(`${names.expiration} is no time`);
  if (expiration <= now) throw unusable('the credentials expired before they came');
  const nextRefresh = readTime(field(names.nextRefresh) ?? '');
  return {
    dbUser: text(names.dbUser),
    dbPassword: text(names.dbPassword),
    opened: now,
    expiration,
    ...(nextRefresh === undefined ? {} : { nextRefresh }),
  };
}

/** @throws RolesAnywhereError SERVICE_FAILED for a database that has no address (yet) */
export function readAddress(
  { field }: ApiAnswer,
  names: readonly string[],
  fields: readonly [string, string],
): Address {
  const [host, port] = fields.map((name) => field(...names, name));
  if (!host || !/^\d{1,5}$/.test(port ?? '')) {
    throw new RolesAnywhereError('SERVICE_FAILED', 'the database has no address', {
      hint: 'it may be paused, or still being made: try again later, or give --host and --port-db',
    });
  }
  // It goes into password files, connection strings and the environment of commands.
  if (!isName('host', host)) throw unusable("the database's address is no name of a host");
  return { host, port: Number(port) };
}

/** ISO 8601 with a time zone in XML, seconds since 1970 in JSON. */
function readTime(text: string): Date | undefined {
  const isNumber = /^\d{9,11}(?:\.\d+)?$/.test(text);
  if (!isNumber && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/u.test(text))
    return undefined;
  const time = new Date(isNumber ? Number(text) * 1000 : text);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // Not as the cause: the parser's message quotes the text, which may hold the password.
    throw unusable('it is not whole JSON');
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function unusable(problem: string): RolesAnywhereError {
  return new RolesAnywhereError('SERVICE_FAILED', `Amazon Redshift answered something unusable: ${problem}`, {
    hint: 'this may not be the AWS service: check AWS_ENDPOINT_URL_REDSHIFT and proxies',
  });
}
