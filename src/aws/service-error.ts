import { RolesAnywhereError } from '../errors.ts';
import type { Answer } from '../runtime/exchange.ts';
import { xml } from './xml.ts';

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

/** The cure for a refusal, where it is known. */
export type HintFor = (details: ServiceErrorDetails) => string | undefined;

/** The error for a refusal: the service's own words, its code, the status and the request id, and the cure if known. */
export function serviceRefused(
  service: string,
  details: ServiceErrorDetails,
  hintFor: HintFor = () => undefined,
): RolesAnywhereError {
  const hint = wrongSignature.test(details.message) ? signatureHint : hintFor(details);
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

/** A text that `describe` had a part in, without what is another at each attempt. */
export function withoutRequestId(text: string): string {
  return text.replace(/request id [^\s,)]*/g, '');
}

/** Said by every service that verifies signatures, each in words of its own. Without the u flag: see certificate/name.ts. */
const wrongSignature = /invalid signature|signature.*(?:expired|match|not valid)|signing date/i;
const signatureHint =
  "check this machine's clock, and that nothing between here and the service changes requests";

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
