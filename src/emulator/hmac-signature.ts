import { createHmac, timingSafeEqual } from 'node:crypto';
import { readAuthorization } from './authorization.ts';
import type { HttpRequest } from './http-request.ts';
import { singleHeader } from './http-request.ts';
import { ServiceError } from './service-error.ts';
import type { IssuedSession, Sessions } from './sessions.ts';

/**
 * Verifies the AWS4-HMAC-SHA256 signature of a request and the session token that it carries (IAM User Guide,
 * "Create a signed AWS API request"), by the secret key of a session that this emulator issued.
 *
 * @throws ServiceError with the codes of STS
 */
export function verifyHmacSignature(
  sessions: Sessions,
  request: HttpRequest,
  service: string,
  now: Date,
): IssuedSession {
  const authorization = readAuthorization(
    request,
    {
      service,
      codes: {
        missing: 'MissingAuthenticationToken',
        incomplete: 'IncompleteSignature',
        mismatch: 'SignatureDoesNotMatch',
      },
    },
    now,
  );
  if (authorization.algorithm !== 'AWS4-HMAC-SHA256') {
    throw new ServiceError(
      'IncompleteSignature',
      `Unsupported AWS 'algorithm': '${authorization.algorithm}'.`,
    );
  }
  const session = sessions.find(authorization.credential);
  const token = singleHeader(request, 'x-amz-security-token');
  if (session === undefined || token === undefined || !equal(token, session.sessionToken.expose())) {
    throw new ServiceError(
      'InvalidClientTokenId',
      'The security token included in the request is invalid.',
      session === undefined
        ? 'no session was issued with this access key ID'
        : token === undefined
          ? 'x-amz-security-token is missing or repeated'
          : 'the session token belongs to no session with this access key ID',
    );
  }
  const { date, region } = authorization.scope;
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${session.secretAccessKey.expose()}`,
  );
  if (!equal(authorization.signature, hmac(key, authorization.stringToSign).toString('hex'))) {
    throw new ServiceError(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
  if (now >= session.expiration) {
    throw new ServiceError(
      'ExpiredToken',
      'The security token included in the request is expired',
      `the session expired at ${session.expiration.toISOString()}`,
    );
  }
  return session;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
