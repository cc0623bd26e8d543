import type { HttpRequest } from './http-request.ts';
import { parsePairs, utf8 } from './http-request.ts';
import type { Answer } from './operation.ts';
import type { ServiceError, ServiceErrorCode } from './service-error.ts';
import { element, text } from './xml.ts';

/** The parameters of an AWS query request, from the query string and, when it is a form, the body. */
export function queryParameters(request: HttpRequest): ReadonlyMap<string, string> {
  const pairs = [...parsePairs(request.query), ...parsePairs(Buffer.from(request.body).toString('latin1'))];
  return new Map(pairs.map(([name, value]) => [utf8(name), utf8(value)]));
}

const headers = { 'content-type': 'text/xml' };

/** The answer to an action: its result's elements, in the wrapping that query services put around them. */
export function queryAnswer(
  { namespace, action, requestId }: { namespace: string; action: string; requestId: string },
  result: readonly string[],
  details: Answer['details'],
): Answer {
  const body = element(`${action}Response`, { xmlns: namespace }, [
    element(`${action}Result`, {}, result),
    element('ResponseMetadata', {}, [text('RequestId', requestId)]),
  ]);
  return { status: 200, headers, body, details };
}

/** What query services call the errors that others have too ("Common errors" of their API references). */
const ownNames: Partial<Record<ServiceErrorCode, ServiceErrorCode>> = {
  AccessDeniedException: 'AccessDenied',
  InternalServerException: 'InternalFailure',
  ServiceUnavailableException: 'ServiceUnavailable',
  ThrottlingException: 'Throttling',
  ValidationException: 'ValidationError',
};

/** An error as query services send it. */
export function queryError(namespace: string, failure: ServiceError, requestId: string): Answer {
  const { status, code, message } = failure.as(ownNames[failure.code] ?? failure.code);
  const body = element('ErrorResponse', { xmlns: namespace }, [
    element('Error', {}, [
      text('Type', status < 500 ? 'Sender' : 'Receiver'),
      text('Code', code),
      text('Message', message),
    ]),
    text('RequestId', requestId),
  ]);
  return { status, headers, body, details: {} };
}
