import { accountId } from './account.ts';
import { verifyHmacSignature } from './hmac-signature.ts';
import type { HttpRequest } from './http-request.ts';
import { parsePairs, utf8 } from './http-request.ts';
import { ServiceError } from './service-error.ts';
import type { IssuedSession, Sessions } from './sessions.ts';
import { element, text } from './xml.ts';

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';
const version = '2011-06-15';

/** The parameters of an AWS query request, from the query string and, when it is a form, the body. */
export function queryParameters(request: HttpRequest): ReadonlyMap<string, string> {
  const pairs = [...parsePairs(request.query), ...parsePairs(Buffer.from(request.body).toString('latin1'))];
  return new Map(pairs.map(([name, value]) => [utf8(name), utf8(value)]));
}

/**
 * STS GetCallerIdentity, for sessions that this emulator issued.
 *
 * @throws ServiceError
 */
export function getCallerIdentity(
  sessions: Sessions,
  request: HttpRequest,
  now: Date,
  requestId: string,
): { readonly session: IssuedSession; readonly body: string } {
  const parameters = queryParameters(request);
  const session = verifyHmacSignature(sessions, request, 'sts', now);
  const [action, requested] = [parameters.get('Action'), parameters.get('Version')];
  if (action !== 'GetCallerIdentity' || requested !== version) {
    throw new ServiceError(
      'InvalidAction',
      `Could not find operation ${action ?? 'null'} for version ${requested ?? 'NO_VERSION_SPECIFIED'}`,
    );
  }
  const body = element('GetCallerIdentityResponse', { xmlns: namespace }, [
    element('GetCallerIdentityResult', {}, [
      text('Arn', session.assumedRoleArn),
      text('UserId', session.assumedRoleId),
      text('Account', accountId),
    ]),
    element('ResponseMetadata', {}, [text('RequestId', requestId)]),
  ]);
  return { session, body };
}

/** An error as STS sends it. */
export function stsError(error: ServiceError, requestId: string): string {
  return element('ErrorResponse', { xmlns: namespace }, [
    element('Error', {}, [
      text('Type', error.status < 500 ? 'Sender' : 'Receiver'),
      text('Code', error.code),
      text('Message', error.message),
    ]),
    text('RequestId', requestId),
  ]);
}
