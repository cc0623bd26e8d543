import { RolesAnywhereError } from '../errors.ts';
import type { Answer } from '../runtime/transport.ts';

/** What a service said when it refused: the `cause` of SERVICE_REFUSED and of a final SERVICE_FAILED. */
export interface ServiceErrorDetails {
  readonly status: number;
  /** The service's error code, such as AccessDeniedException; undefined where the answer has none. */
  readonly code: string | undefined;
  /** The service's words, cleaned and cut for a terminal. */
  readonly message: string;
  readonly requestId: string | undefined;
}

/**
 * Reads an error answer: restJson1 (the code in x-amzn-ErrorType, else in `code` or `__type`; the text in `message`
 * or `Message`), the XML of the query protocol, or whatever a proxy in between has written.
 */
export function readServiceError(answer: Answer): ServiceErrorDetails {
  // Nobody was asked to compress anything; what a proxy did all the same is no text.
  const { 'content-encoding': encoding = 'identity' } = answer.headers;
  const body = encoding === 'identity' ? answer.body : '';
  const json = parseJson(body);
  const header = answer.headers['x-amzn-errortype'];
  const code = header ?? text(json['code']) ?? text(json['__type']) ?? xml(body, 'Code');
  const message = text(json['message']) ?? text(json['Message']) ?? xml(body, 'Message') ?? proxyWords(body);
  const requestId =
    answer.headers['x-amzn-requestid'] ?? answer.headers['x-amz-request-id'] ?? xml(body, 'RequestId');
  return {
    status: answer.status,
    // `com.amazonaws.rolesanywhere#AccessDeniedException:http://…` in its longest form.
    code: clean(code?.split(':')[0]?.replace(/^.*#/u, '') ?? '', 100) || undefined,
    message: clean(message, 300),
    requestId: clean(requestId ?? '', 100) || undefined,
  };
}

/** An HTML page of a proxy: its words without the tags. JSON without a message may hold anything, credentials too. */
function proxyWords(body: string): string {
  if (/^\s*[{[]/u.test(body)) return '';
  return body.slice(0, 4096).replace(/<(style|script)\b[^]*?<\/\1>|<[^>]*>/gi, ' ');
}

/** The error for a refusal: the service's own words, its code, the status and the request id, and the cure if known. */
export function serviceRefused(service: string, details: ServiceErrorDetails): RolesAnywhereError {
  const hint = hintFor(details);
  return new RolesAnywhereError('SERVICE_REFUSED', `${service} refused: ${describe(details)}`, {
    cause: details,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** `words (code, status 403, request id …)` */
export function describe({ status, code, message, requestId }: ServiceErrorDetails): string {
  const facts = [code, `status ${status}`, requestId === undefined ? undefined : `request id ${requestId}`];
  return `${message === '' ? 'no words given' : message} (${facts.filter((fact) => fact !== undefined).join(', ')})`;
}

/** The opaque refusals of the field, and what stands behind each. Without the u flag: see certificate/name.ts. */
const hints: readonly (readonly [words: RegExp, hint: string])[] = [
  [
    /untrusted signing certificate|untrusted certificate/i,
    "the certificate does not chain to the trust anchor's: check --trust-anchor-arn, and give missing issuers with --intermediates",
  ],
  [
    /insufficient certificate/i,
    'the certificate lacks what the service demands: X.509 v3, digitalSignature, CA:false, SHA-256 or better, a subject',
  ],
  [
    /revoked/i,
    'the certificate is on a revocation list that the trust anchor imported: have a new one issued',
  ],
  [
    /unable to assume role/i,
    "check that the profile lists the role, and that the role's trust policy lets rolesanywhere.amazonaws.com do sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity under conditions that this certificate meets",
  ],
  [
    /not authorized to set rolesessionname/i,
    'leave --role-session-name out, or let the profile accept it (acceptRoleSessionName)',
  ],
  [/scoped to a valid region/i, "leave --region out, or give the trust anchor's region"],
  [
    /invalid signature|signature.*(?:expired|match|not valid)|signing date/i,
    "check this machine's clock, and that nothing between here and the service changes requests",
  ],
  [/profile.*(?:disabled|not enabled)/i, 'enable the profile, or name another with --profile-arn'],
  [
    /(?:trust ?anchor).*(?:disabled|not enabled)/i,
    'enable the trust anchor, or name another with --trust-anchor-arn',
  ],
];

const hintsByCode: Readonly<Record<string, string>> = {
  ResourceNotFoundException:
    'check the three ARNs: account, region and identifier, and that nothing was deleted',
  AccessDeniedException:
    'check that trust anchor and profile are enabled, that the profile lists the role, and the conditions of its trust policy',
};

function hintFor({ code, message }: ServiceErrorDetails): string | undefined {
  return hints.find(([words]) => words.test(message))?.[1] ?? hintsByCode[code ?? ''];
}

/** Text from outside, fit for one line of a terminal: no control characters, single spaces, cut at a length. */
export function clean(value: string, length: number): string {
  // By its constructor: see certificate/name.ts.
  const line = value.replace(new RegExp('[\\p{C}\\p{Z}]+', 'gu'), ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

function parseJson(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The text of the first element of that name, in the flat answers of the query protocol. */
export function xml(body: string, name: string): string | undefined {
  const match = new RegExp(`<${name}>([^<]*)</${name}>`, 'u').exec(body)?.[1];
  return match?.replace(/&(lt|gt|quot|apos|amp);/gu, (_, entity: string) => entities[entity] ?? '').trim();
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
