import type { HttpRequest } from './http-request.ts';
import { singleHeader } from './http-request.ts';
import type { Answer } from './operation.ts';
import type { ServiceErrorCode } from './service-error.ts';
import { ServiceError } from './service-error.ts';

const mediaType = 'application/x-amz-json-1.1';
const headers = { 'content-type': mediaType };

export const jsonHeaders = { 'content-type': 'application/json' };

/** An error as restJson1 services send it: the name in a header, the words in the body. */
export function restJsonError(error: ServiceError): Answer {
  return {
    status: error.status,
    headers: { ...jsonHeaders, 'x-amzn-errortype': error.code },
    body: JSON.stringify({ message: error.message }),
    details: {},
  };
}

/**
 * The members of a request of an AWS JSON 1.1 service.
 *
 * @throws ServiceError
 */
export function readJsonRequest(request: HttpRequest): Readonly<Record<string, unknown>> {
  const sent = singleHeader(request, 'content-type') ?? '';
  if (sent.split(';')[0]?.trim().toLowerCase() !== mediaType) {
    throw new ServiceError('UnknownOperationException', 'Unknown operation', `the content type is '${sent}'`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError('SerializationException', 'Unable to parse the request body');
  }
  return value as Record<string, unknown>;
}

export function jsonAnswer(value: object, details: Answer['details']): Answer {
  return { status: 200, headers, body: JSON.stringify(value), details };
}

/** What JSON services call the errors that the query services name otherwise. */
const ownNames: Partial<Record<ServiceErrorCode, ServiceErrorCode>> = {
  ExpiredToken: 'ExpiredTokenException',
  IncompleteSignature: 'IncompleteSignatureException',
  InternalFailure: 'InternalServerException',
  InvalidAction: 'UnknownOperationException',
  InvalidClientTokenId: 'UnrecognizedClientException',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
};

/** An error as JSON 1.1 services send it: whatever is the client's fault is a 400. */
export function jsonError(failure: ServiceError): Answer {
  const { code, message, status } = failure.as(ownNames[failure.code] ?? failure.code);
  return {
    status: failure.givenStatus ?? (status < 500 ? 400 : status),
    headers: { ...headers, 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: code, message }),
    details: {},
  };
}
