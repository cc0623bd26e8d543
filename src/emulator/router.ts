import type { RolesAnywhere } from './create-session.ts';
import { createSession } from './create-session.ts';
import type { HttpRequest } from './http-request.ts';
import { ServiceError } from './service-error.ts';
import { getCallerIdentity, queryParameters, stsError } from './sts.ts';

/** What goes back over the wire, and what the request log says of it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** One operation of one emulated service: how it answers, and how it words an error. */
export interface Operation {
  readonly name: string;
  run(now: Date, requestId: string): Answer;
  fail(error: ServiceError, requestId: string): Answer;
}

/** Which operation a request is for. The services share one address, as with AWS_ENDPOINT_URL. */
export function route(service: RolesAnywhere, request: HttpRequest): Operation {
  // With any prefix before it: an endpoint may have a path, and the path that was sent is the one that is signed.
  if (request.method === 'POST' && /(^|\/)sessions$/.test(request.path)) {
    return {
      name: 'CreateSession',
      run: (now) => {
        const { answer, details } = createSession(service, request, now);
        return { status: 201, headers: json, body: JSON.stringify(answer), details };
      },
      fail: restJsonError,
    };
  }
  if ((request.method === 'POST' || request.method === 'GET') && request.path === '/' && isQuery(request)) {
    return {
      name: 'GetCallerIdentity',
      run: (now, requestId) => {
        const { session, body } = getCallerIdentity(service.sessions, request, now, requestId);
        const details = { assumedRoleArn: session.assumedRoleArn, tags: session.tags };
        return { status: 200, headers: xml, body, details };
      },
      fail: (error, requestId) => ({
        status: error.status,
        headers: xml,
        body: stsError(error, requestId),
        details: {},
      }),
    };
  }
  return {
    name: 'unknown',
    run: () => {
      const why = `no operation at ${request.method} ${request.path}`;
      throw new ServiceError('UnknownOperationException', 'Unknown operation', why);
    },
    fail: restJsonError,
  };
}

function isQuery(request: HttpRequest): boolean {
  return queryParameters(request).has('Action');
}

const json = { 'content-type': 'application/json' };
const xml = { 'content-type': 'text/xml' };

/** An error as restJson1 services send it: the name in a header, the words in the body. */
export function restJsonError(error: ServiceError): Answer {
  return {
    status: error.status,
    headers: { ...json, 'x-amzn-errortype': error.code },
    body: JSON.stringify({ message: error.message }),
    details: {},
  };
}
