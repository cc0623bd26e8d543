import { canonicalRequest, stringToSign } from './canonical-request.ts';
import type { HttpRequest } from './http-request.ts';
import { headerValues, singleHeader } from './http-request.ts';
import type { ServiceErrorCode } from './service-error.ts';
import { ServiceError } from './service-error.ts';

/** What a SigV4 `Authorization` header claims, taken apart but not yet believed. */
export interface Authorization {
  readonly algorithm: string;
  /** What stands before the scope in Credential: an access key ID, or a certificate's serial number. */
  readonly credential: string;
  readonly scope: { readonly date: string; readonly region: string; readonly service: string };
  readonly signedHeaders: readonly string[];
  /** As sent: lower-case hexadecimal. */
  readonly signature: string;
  readonly stringToSign: string;
}

/** Which request a service takes, and the error codes in which it refuses others. */
interface SigningRules {
  readonly service: string;
  /** Undefined where any region will do. */
  readonly region?: string;
  readonly codes: {
    readonly missing: ServiceErrorCode;
    readonly incomplete: ServiceErrorCode;
    readonly mismatch: ServiceErrorCode;
  };
}

const windowMilliseconds = 5 * 60_000;

/**
 * Takes the request's signature apart and checks everything about it that needs no key: its form, its scope, its
 * time and which headers it covers (IAM User Guide, "AWS Signature Version 4 for API requests").
 *
 * @throws ServiceError
 */
export function readAuthorization(request: HttpRequest, rules: SigningRules, now: Date): Authorization {
  const { algorithm, fields } = splitHeader(request, rules);
  const field = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined || value === '') {
      throw new ServiceError(rules.codes.incomplete, `Authorization header requires '${name}' parameter.`);
    }
    return value;
  };
  const credential = field('Credential').split('/');
  const signedHeaders = field('SignedHeaders').split(';');
  const signature = field('Signature');
  if (!/^([0-9a-f]{2})+$/.test(signature)) {
    throw new ServiceError(
      rules.codes.incomplete,
      'Invalid signature',
      'the signature is not lower-case hexadecimal',
    );
  }
  const [id = '', date = '', region = '', service = '', terminator = ''] = credential;
  if (credential.length !== 5) {
    throw new ServiceError(
      rules.codes.incomplete,
      'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term',
    );
  }
  const timestamp = checkTime(request, rules, now);
  checkScope({ date, region, service, terminator }, timestamp, rules);
  checkSignedHeaders(request, signedHeaders, rules);
  return {
    algorithm,
    credential: id,
    scope: { date, region, service },
    signedHeaders,
    signature,
    stringToSign: stringToSign(
      algorithm,
      timestamp,
      `${date}/${region}/${service}/${terminator}`,
      canonicalRequest(request, signedHeaders),
    ),
  };
}

function splitHeader(
  request: HttpRequest,
  { codes }: SigningRules,
): { algorithm: string; fields: ReadonlyMap<string, string> } {
  const headers = headerValues(request, 'authorization');
  const [header] = headers;
  if (header === undefined) {
    throw new ServiceError(codes.missing, 'Request is missing Authentication Token');
  }
  const parts = /^(\S+) +(.*)$/.exec(header);
  if (headers.length > 1 || parts === null) {
    throw new ServiceError(
      codes.incomplete,
      'Authorization header is malformed',
      headers.length > 1 ? 'more than one authorization header' : 'nothing follows the algorithm',
    );
  }
  const [, algorithm = '', rest = ''] = parts;
  const fields = new Map<string, string>();
  for (const pair of rest.split(',')) {
    const [, name, value] = /^\s*(Credential|SignedHeaders|Signature)=(\S*)\s*$/.exec(pair) ?? [];
    if (name === undefined || value === undefined || fields.has(name)) {
      throw new ServiceError(
        codes.incomplete,
        'Authorization header is malformed',
        'expected Credential=…, SignedHeaders=…, Signature=…, each once',
      );
    }
    fields.set(name, value);
  }
  return { algorithm, fields };
}

function checkTime(request: HttpRequest, { codes }: SigningRules, now: Date): string {
  const timestamp = singleHeader(request, 'x-amz-date');
  const time = timestamp === undefined ? undefined : parseTimestamp(timestamp);
  if (timestamp === undefined || time === undefined) {
    throw new ServiceError(
      codes.incomplete,
      "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601",
      timestamp === undefined ? 'x-amz-date is missing or repeated' : 'x-amz-date is not YYYYMMDDTHHMMSSZ',
    );
  }
  const skew = time - now.getTime();
  if (skew > windowMilliseconds) {
    const limit = formatTimestamp(now.getTime() + windowMilliseconds);
    throw new ServiceError(
      codes.mismatch,
      `Signature not yet current: ${timestamp} is still later than ${limit} (${formatTimestamp(now.getTime())} + 5 min.)`,
    );
  }
  if (skew < -windowMilliseconds) {
    const limit = formatTimestamp(now.getTime() - windowMilliseconds);
    throw new ServiceError(
      codes.mismatch,
      `Signature expired: ${timestamp} is now earlier than ${limit} (${formatTimestamp(now.getTime())} - 5 min.)`,
    );
  }
  return timestamp;
}

function checkScope(
  scope: { date: string; region: string; service: string; terminator: string },
  timestamp: string,
  { codes, region, service }: SigningRules,
): void {
  if (scope.date !== timestamp.slice(0, 8)) {
    throw new ServiceError(
      codes.mismatch,
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${scope.date}' != '${timestamp.slice(0, 8)}', from '${timestamp}'.`,
    );
  }
  if (region === undefined ? !/^[a-z0-9-]+$/.test(scope.region) : scope.region !== region) {
    throw new ServiceError(
      codes.mismatch,
      'Credential should be scoped to a valid region.',
      `the scope's region is '${scope.region}', not '${region ?? 'a region'}'`,
    );
  }
  if (scope.service !== service) {
    throw new ServiceError(
      codes.mismatch,
      `Credential should be scoped to correct service: '${service}'.`,
      `the scope's service is '${scope.service}'`,
    );
  }
  if (scope.terminator !== 'aws4_request') {
    throw new ServiceError(
      codes.mismatch,
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${scope.terminator}'.`,
    );
  }
}

/** `host` and every `x-amz-*` header that was sent must be signed; the list is sorted, each name once. */
function checkSignedHeaders(request: HttpRequest, signed: readonly string[], { codes }: SigningRules): void {
  const sorted = signed.every((name, i) => {
    const before = i === 0 ? '' : (signed[i - 1] ?? '');
    return /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && before < name;
  });
  if (!sorted) {
    throw new ServiceError(
      codes.mismatch,
      'Invalid signature',
      'SignedHeaders is not a sorted list of lower-case names, each once',
    );
  }
  const absent = signed.find((name) => headerValues(request, name).length === 0);
  if (absent !== undefined) {
    throw new ServiceError(codes.mismatch, 'Invalid signature', `the signed header ${absent} was not sent`);
  }
  const sent = request.headers.map(([name]) => name).filter((name) => name.startsWith('x-amz-'));
  const unsigned = ['host', ...sent].find((name) => !signed.includes(name));
  if (unsigned !== undefined) {
    throw new ServiceError(
      codes.mismatch,
      `'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`,
      `the header ${unsigned} is not signed`,
    );
  }
}

/** Milliseconds since 1970 of a basic-format timestamp that names a real moment. */
function parseTimestamp(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, year, month, day, hours, minutes, seconds] = match.map(Number);
  const time = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hours, minutes, seconds);
  return formatTimestamp(time) === text ? time : undefined;
}

function formatTimestamp(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
}
