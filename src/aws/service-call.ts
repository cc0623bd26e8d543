import { version } from '../runtime/version.ts';
import { type HmacCredentials, signWithSecretKey } from '../sigv4/hmac.ts';
import { operationUrl, resolveEndpoint, type Service } from './endpoint.ts';
import { call, type ConnectionOptions, type Operation, type Reply } from './http.ts';

/** One operation of a service that is signed with a secret key. */
export interface ServiceCall extends Pick<Operation, 'hintFor' | 'isShared'> {
  /** The service, by its endpoint's and its signature's name. */
  readonly service: Service;
  /** Its name as people know it. */
  readonly name: string;
  readonly region: string;
  /** Before AWS_ENDPOINT_URL_… and AWS_ENDPOINT_URL. */
  readonly endpoint?: string | undefined;
  /** By lower-case name: the content type, and what else the protocol wants. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Sends one signed POST request.
 *
 * @throws RolesAnywhereError what `call` throws
 */
export async function callService(
  { service, name, region, endpoint, headers, body, ...policy }: ServiceCall,
  credentials: HmacCredentials,
  connection: ConnectionOptions,
): Promise<Reply> {
  const url = operationUrl(resolveEndpoint({ service, region, endpoint }), '/');
  const request = {
    method: 'POST',
    url,
    headers: {
      ...headers,
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': `rolesanywhere/${version}`,
    },
    body,
  };
  return call(
    {
      service: name,
      url,
      sign: async (now) => ({
        ...request,
        headers: await signWithSecretKey(request, credentials, { region, service, now }),
      }),
      ...policy,
    },
    connection,
  );
}

/** A request of the query protocol: an action, the API's version, and parameters. */
export function queryRequest(
  action: string,
  apiVersion: string,
  parameters: Readonly<Record<string, string>> = {},
): Pick<ServiceCall, 'headers' | 'body'> {
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: new URLSearchParams({ Action: action, Version: apiVersion, ...parameters }).toString(),
  };
}
