import { RolesAnywhereError } from '../errors.ts';
import type { HmacCredentials } from '../sigv4/hmac.ts';
import type { ConnectionOptions } from './http.ts';
import { callService, queryRequest } from './service-call.ts';
import { xml } from './xml.ts';

export interface CallerIdentityOptions extends ConnectionOptions {
  readonly region: string;
  /** Before AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL. */
  readonly endpoint?: string;
}

export interface CallerIdentity {
  readonly userId: string;
  readonly account: string;
  readonly arn: string;
}

/**
 * Asks STS who the credentials are (AWS STS API Reference, "GetCallerIdentity"): needs no permission.
 *
 * @throws RolesAnywhereError SERVICE_REFUSED, SERVICE_UNREACHABLE, SERVICE_FAILED, SERVICE_TIMEOUT, TLS_UNTRUSTED,
 *   PROXY_FAILED, FILE_UNREADABLE, INVALID_ARGUMENT
 */
export async function getCallerIdentity(
  credentials: HmacCredentials,
  options: CallerIdentityOptions,
): Promise<CallerIdentity> {
  const { answer } = await callService(
    {
      service: 'sts',
      name: 'AWS STS',
      region: options.region,
      endpoint: options.endpoint,
      ...queryRequest('GetCallerIdentity', '2011-06-15'),
    },
    credentials,
    options,
  );
  const [userId, account, arn] = ['UserId', 'Account', 'Arn'].map((name) => xml(answer.body, name));
  if (userId === undefined || account === undefined || arn === undefined) {
    throw new RolesAnywhereError(
      'SERVICE_FAILED',
      'AWS STS answered something unusable: it names no caller',
      {
        hint: 'this may not be the AWS service: check the endpoint and proxies',
      },
    );
  }
  return { userId, account, arn };
}
