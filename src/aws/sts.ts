import { RolesAnywhereError } from '../errors.ts';
import { version } from '../runtime/version.ts';
import { signWithSecretKey } from '../sigv4/hmac.ts';
import type { Credentials } from './credentials.ts';
import { operationUrl, resolveEndpoint } from './endpoint.ts';
import { call, type ConnectionOptions } from './http.ts';
import { xml } from './service-error.ts';

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
  credentials: Credentials,
  options: CallerIdentityOptions,
): Promise<CallerIdentity> {
  const { region } = options;
  const url = operationUrl(resolveEndpoint({ service: 'sts', region, endpoint: options.endpoint }), '/');
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const { answer } = await call(
    {
      service: 'AWS STS',
      url,
      sign: async (now) => {
        const headers = {
          'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
          'content-length': String(Buffer.byteLength(body)),
          'user-agent': `rolesanywhere/${version}`,
        };
        const request = { method: 'POST', url, headers, body };
        return {
          ...request,
          headers: await signWithSecretKey(request, credentials, { region, service: 'sts', now }),
        };
      },
    },
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
