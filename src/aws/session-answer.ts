import { RolesAnywhereError } from '../errors.ts';
import type { Credentials } from './credentials.ts';
import type { Reply } from './http.ts';

export interface Session {
  readonly credentials: Credentials;
  /** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` */
  readonly assumedRoleArn?: string;
  readonly roleArn?: string;
  /** The service's record of this certificate. */
  readonly subjectArn?: string;
  readonly sourceIdentity?: string;
}

/** CreateSession's answer as far as we need it; nothing in it is believed before it is looked at. */
type Json = Readonly<Record<string, unknown>>;

/**
 * Reads and checks the answer to CreateSession. Messages name the field that is wrong and never show its value.
 *
 * @throws RolesAnywhereError SERVICE_FAILED
 */
export function readSession({ answer, now }: Reply): Session {
  const root = object(parse(answer.body), 'the answer');
  const set = root['credentialSet'];
  if (!Array.isArray(set) || set.length === 0) throw malformed('credentialSet is no list of credentials');
  const entry = object(set[0], 'credentialSet[0]');
  const credentials = object(entry['credentials'], 'credentials');
  const expiration = readExpiration(string(credentials, 'expiration'), now);
  return {
    credentials: {
      accessKeyId: string(credentials, 'accessKeyId'),
      secretAccessKey: string(credentials, 'secretAccessKey'),
      sessionToken: string(credentials, 'sessionToken'),
      expiration,
    },
    ...optional({
      assumedRoleArn: (entry['assumedRoleUser'] as Json | null | undefined)?.['arn'],
      roleArn: entry['roleArn'],
      subjectArn: root['subjectArn'],
      sourceIdentity: entry['sourceIdentity'],
    }),
  };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // Not as the cause: the parser's message quotes the text, which may hold the secret key.
    throw malformed('it is not whole JSON');
  }
}

/** ISO 8601 with a time zone: `Date` alone would also take `1` or `May`, and read a missing zone as local time. */
function readExpiration(text: string, now: Date): Date {
  const date = new Date(text);
  if (
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/u.test(text) ||
    Number.isNaN(date.getTime())
  ) {
    throw malformed('expiration is no date');
  }
  if (date <= now) throw malformed(`the credentials expired at ${date.toISOString()}, before they came`);
  return date;
}

function object(value: unknown, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${name} is no object`);
  return value as Json;
}

function string(container: Json, name: string): string {
  const value = container[name];
  if (typeof value !== 'string' || value === '') throw malformed(`${name} is missing or no text`);
  // They are printed, and written into files and headers: nothing in them may mean something there.
  if (!/^[!-~]+$/.test(value))
    throw malformed(`${name} holds other characters than letters, digits and signs`);
  return value;
}

/** Those of the values that are texts: what nobody needs to log in must not keep anybody from it. */
function optional<Name extends string>(
  values: Readonly<Record<Name, unknown>>,
): Partial<Record<Name, string>> {
  const texts = Object.entries(values).filter(([, value]) => typeof value === 'string' && value !== '');
  return Object.fromEntries(texts) as Partial<Record<Name, string>>;
}

function malformed(problem: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'SERVICE_FAILED',
    `IAM Roles Anywhere answered something unusable: ${problem}`,
    {
      hint: 'this may not be the AWS service: check --endpoint and proxies',
    },
  );
}
