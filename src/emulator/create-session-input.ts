import type { HttpRequest } from './http-request.ts';
import { parsePairs, utf8 } from './http-request.ts';
import { ServiceError } from './service-error.ts';

/** What a CreateSession request asks for. */
export interface SessionInput {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly durationSeconds: number | undefined;
  readonly roleSessionName: string | undefined;
}

/**
 * Reads the input of CreateSession: the ARNs from the JSON body or the query string, the rest from the body.
 *
 * @throws ServiceError ValidationException
 */
export function readInput(request: HttpRequest): SessionInput {
  const query = new Map(parsePairs(request.query).map(([name, value]) => [name, utf8(value)]));
  const body = readBody(request.body);
  const member = (name: string): unknown => body[name] ?? undefined; // null is absent
  const arn = (name: string, pattern: RegExp): string => {
    const value = member(name) ?? query.get(name);
    if (value === undefined) {
      throw invalid(name, 'Member must not be null');
    }
    if (typeof value !== 'string' || !pattern.test(value)) {
      throw invalid(name, `Member must satisfy regular expression pattern: ${pattern.source}`);
    }
    return value;
  };
  checkInstanceProperties(member('instanceProperties'));
  return {
    trustAnchorArn: arn('trustAnchorArn', /^arn:aws[^:/]*:rolesanywhere:[^:]+:\d{12}:trust-anchor\/[^:/]+$/),
    profileArn: arn('profileArn', /^arn:aws[^:/]*:rolesanywhere:[^:]+:\d{12}:profile\/[^:/]+$/),
    roleArn: arn('roleArn', /^arn:aws[^:/]*:iam::\d{12}:role\/.+$/),
    durationSeconds: readDuration(member('durationSeconds')),
    roleSessionName: readSessionName(member('roleSessionName')),
  };
}

function readBody(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) {
    return {};
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError(
      'ValidationException',
      'Unable to parse the request body',
      'the body is not a JSON object',
    );
  }
  return value as Record<string, unknown>;
}

function readDuration(value: unknown): number | undefined {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 900 && Number(value) <= 43_200)) {
    return value as number | undefined;
  }
  throw invalid('durationSeconds', 'Member must be an integer between 900 and 43200');
}

/** STS API reference, AssumeRole, RoleSessionName. */
function readSessionName(value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && /^[\w+=,.@-]{2,64}$/.test(value))) {
    return value;
  }
  throw invalid('roleSessionName', 'Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}');
}

/** At most 50 pairs of 1 to 200 characters each: InstancePropertyMap of the service's API model. */
function checkInstanceProperties(value: unknown): void {
  const fits = (text: unknown): boolean => typeof text === 'string' && text.length >= 1 && text.length <= 200;
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = isMap ? Object.entries(value) : [];
  if (value !== undefined && !(isMap && entries.length <= 50 && entries.flat().every(fits))) {
    throw invalid('instanceProperties', 'Member must be a map of at most 50 strings of 1 to 200 characters');
  }
}

function invalid(name: string, constraint: string): ServiceError {
  return new ServiceError(
    'ValidationException',
    `1 validation error detected: Value at '${name}' failed to satisfy constraint: ${constraint}`,
  );
}
