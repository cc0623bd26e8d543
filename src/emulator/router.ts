import type { RolesAnywhere } from './create-session.ts';
import { createSession } from './create-session.ts';
import type { Redshift } from './database-credentials.ts';
import type { HttpRequest } from './http-request.ts';
import { jsonHeaders, restJsonError } from './json-protocol.ts';
import type { Operation } from './operation.ts';
import { queryParameters } from './query-protocol.ts';
import { jsonTarget, serverlessOperation } from './redshift-serverless.ts';
import { redshiftOperation, redshiftVersion } from './redshift.ts';
import { ServiceError } from './service-error.ts';
import { getCallerIdentity } from './sts.ts';

/** Which operation a request is for. The services share one address, as with AWS_ENDPOINT_URL. */
export function route(service: RolesAnywhere & Redshift, request: HttpRequest): Operation {
  // With any prefix before it: an endpoint may have a path, and the path that was sent is the one that is signed.
  if (request.method === 'POST' && /(^|\/)sessions$/.test(request.path)) {
    return {
      name: 'CreateSession',
      run: (now) => {
        const { answer, details } = createSession(service, request, now);
        return { status: 201, headers: jsonHeaders, body: JSON.stringify(answer), details };
      },
      fail: restJsonError,
    };
  }
  if (request.path === '/' && (request.method === 'POST' || request.method === 'GET')) {
    const target = jsonTarget(request);
    if (target !== undefined) {
      return serverlessOperation(service, request, target);
    }
    const parameters = queryParameters(request);
    if (parameters.has('Action')) {
      return parameters.get('Version') === redshiftVersion
        ? redshiftOperation(service, request)
        : getCallerIdentity(service.sessions, request);
    }
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
