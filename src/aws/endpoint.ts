import { RolesAnywhereError } from '../errors.ts';
import { env } from '../runtime/env.ts';
import { partitionOfRegion, partitions } from './partitions.ts';

/** The services that we call, by the first label of their hosts. */
export type Service = 'rolesanywhere' | 'sts' | 'redshift' | 'redshift-serverless';

export interface EndpointRequest {
  readonly service: Service;
  readonly region: string;
  /** The `--endpoint` option: before everything else. */
  readonly endpoint?: string | undefined;
}

/**
 * Where a service answers: the option, else the environment as the SDKs read it (AWS SDKs and Tools Reference
 * Guide, "Service-specific endpoints"), else the partition's own host.
 *
 * @returns a URL with an http or https scheme whose path, maybe only `/`, is the prefix of every request's path
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function resolveEndpoint({ service, region, endpoint }: EndpointRequest): URL {
  const partition = checkRegion(region);
  const fips = flag('AWS_USE_FIPS_ENDPOINT');
  const dualStack = flag('AWS_USE_DUALSTACK_ENDPOINT');
  const configured =
    endpoint === undefined ? configuredEndpoint(service) : (['--endpoint', endpoint] as const);
  if (configured !== undefined) {
    // The SDKs refuse this too: a host that is named cannot be turned into its FIPS or dual-stack form, and
    // to go on without would silently drop what the environment demands.
    const demanded = fips ? 'AWS_USE_FIPS_ENDPOINT' : dualStack ? 'AWS_USE_DUALSTACK_ENDPOINT' : undefined;
    if (demanded !== undefined) {
      throw new RolesAnywhereError('INVALID_ARGUMENT', `${demanded} does not go with ${configured[0]}`, {
        hint: `name the host that you want in ${configured[0]} and unset ${demanded}`,
      });
    }
    return parseEndpoint(...configured);
  }
  return new URL(`https://${serviceHost(service, region, partition, fips, dualStack)}/`);
}

/** The URL of one operation: the endpoint's path is kept in front of the operation's. */
export function operationUrl(endpoint: URL, path: string): URL {
  const url = new URL(endpoint);
  url.pathname = `${endpoint.pathname}${path}`.replace(/\/{2,}/gu, '/');
  return url;
}

/**
 * Checks the shape of a region before it becomes part of a host name.
 *
 * @returns the partition that it belongs to
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function checkRegion(region: string): string {
  const partition = partitionOfRegion(region);
  if (partition === undefined) {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `not a region: ${JSON.stringify(region)}`, {
      hint: 'a region looks like us-east-1; without --region the one in the trust anchor ARN is used',
    });
  }
  return partition;
}

function serviceHost(
  service: Service,
  region: string,
  name: string,
  fips: boolean,
  dualStack: boolean,
): string {
  const partition = partitions[name];
  if (partition === undefined) throw new RolesAnywhereError('INTERNAL', `no such partition: ${name}`);
  // In GovCloud the plain hosts of STS and Redshift are the FIPS ones (the SDKs' endpoint rules); dual-stack is not.
  const plainIsFips = name === 'aws-us-gov' && !dualStack && (service === 'sts' || service === 'redshift');
  const label = fips && !plainIsFips ? `${service}-fips` : service;
  return `${label}.${region}.${dualStack ? partition.dualStackSuffix : partition.suffix}`;
}

function configuredEndpoint(service: Service): readonly [name: string, value: string] | undefined {
  if (flag('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS')) return undefined;
  const own = `AWS_ENDPOINT_URL_${service.toUpperCase().replace('-', '_')}`;
  for (const name of [own, 'AWS_ENDPOINT_URL']) {
    const value = env(name);
    if (value !== undefined) return [name, value];
  }
  return undefined;
}

function parseEndpoint(name: string, text: string): URL {
  // The text itself stays out of the message when it may hold a password.
  const shown = text.includes('@') ? '' : `: ${text}`;
  const fail = (problem: string): never => {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `${name} ${problem}${shown}`, {
      hint: 'an endpoint looks like https://host:port/path',
    });
  };
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return fail('is not an http or https URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return fail('must not hold a user name or password');
  if (url.search !== '' || url.hash !== '') return fail('must not hold a query or a fragment');
  return url;
}

function flag(name: string): boolean {
  const value = env(name)?.toLowerCase();
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw new RolesAnywhereError('INVALID_ARGUMENT', `${name} is neither true nor false`);
}
