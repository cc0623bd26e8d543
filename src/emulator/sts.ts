import { accountId } from './account.ts';
import { verifyHmacSignature } from './hmac-signature.ts';
import type { HttpRequest } from './http-request.ts';
import { queryAnswer, queryError, queryParameters } from './query-protocol.ts';
import type { Operation } from './operation.ts';
import { ServiceError } from './service-error.ts';
import type { Sessions } from './sessions.ts';
import { text } from './xml.ts';

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';
const version = '2011-06-15';
const action = 'GetCallerIdentity';

/** STS GetCallerIdentity, for sessions that this emulator issued. */
export function getCallerIdentity(sessions: Sessions, request: HttpRequest): Operation {
  return {
    name: action,
    run: (now, requestId) => {
      const session = verifyHmacSignature(sessions, request, 'sts', now);
      const parameters = queryParameters(request);
      const [asked, requested] = [parameters.get('Action'), parameters.get('Version')];
      if (asked !== action || requested !== version) {
        throw new ServiceError(
          'InvalidAction',
          `Could not find operation ${asked ?? 'null'} for version ${requested ?? 'NO_VERSION_SPECIFIED'}`,
        );
      }
      return queryAnswer(
        { namespace, action, requestId },
        [
          text('Arn', session.assumedRoleArn),
          text('UserId', session.assumedRoleId),
          text('Account', accountId),
        ],
        { assumedRoleArn: session.assumedRoleArn, tags: session.tags },
      );
    },
    fail: (error, requestId) => queryError(namespace, error, requestId),
  };
}
