import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { operationUrl, resolveEndpoint, type Service } from '../../src/aws/endpoint.ts';
import { failure } from './failure.ts';

const names = [
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_ROLESANYWHERE',
  'AWS_ENDPOINT_URL_STS',
  'AWS_ENDPOINT_URL_REDSHIFT',
  'AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS',
];
beforeEach(() => {
  for (const name of names) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const resolve = (region: string, endpoint?: string, service: Service = 'rolesanywhere'): string =>
  resolveEndpoint({ service, region, endpoint }).href;

describe('the hosts of every partition, plain, FIPS, dual-stack and both', () => {
  test.each([
    ['us-east-1', 'amazonaws.com', 'api.aws'],
    ['us-gov-west-1', 'amazonaws.com', 'api.aws'],
    ['cn-north-1', 'amazonaws.com.cn', 'api.amazonwebservices.com.cn'],
    ['us-iso-east-1', 'c2s.ic.gov', 'api.aws.ic.gov'],
    ['us-isob-east-1', 'sc2s.sgov.gov', 'api.aws.scloud'],
    ['eu-isoe-west-1', 'cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'],
    ['us-isof-south-1', 'csp.hci.ic.gov', 'api.aws.hci.ic.gov'],
    // The old helper's table lacks this partition and takes amazonaws.com.
    ['eusc-de-east-1', 'amazonaws.eu', 'api.amazonwebservices.eu'],
  ])('%s', (region, suffix, dualStackSuffix) => {
    expect(resolve(region)).toBe(`https://rolesanywhere.${region}.${suffix}/`);
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'true');
    expect(resolve(region)).toBe(`https://rolesanywhere-fips.${region}.${suffix}/`);
    vi.stubEnv('AWS_USE_DUALSTACK_ENDPOINT', 'TRUE');
    expect(resolve(region)).toBe(`https://rolesanywhere-fips.${region}.${dualStackSuffix}/`);
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'false');
    expect(resolve(region)).toBe(`https://rolesanywhere.${region}.${dualStackSuffix}/`);
  });

  test.each<[Service, string, string]>([
    ['sts', 'us-gov-west-1', 'https://sts.us-gov-west-1.amazonaws.com/'],
    ['redshift', 'us-gov-east-1', 'https://redshift.us-gov-east-1.amazonaws.com/'],
    ['redshift-serverless', 'us-gov-west-1', 'https://redshift-serverless-fips.us-gov-west-1.amazonaws.com/'],
    ['sts', 'eu-west-1', 'https://sts-fips.eu-west-1.amazonaws.com/'],
  ])('FIPS of %s in %s', (service, region, url) => {
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'true');
    expect(resolve(region, undefined, service)).toBe(url);
  });

  test('FIPS and dual-stack of STS in GovCloud', () => {
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'true');
    vi.stubEnv('AWS_USE_DUALSTACK_ENDPOINT', 'true');
    expect(resolve('us-gov-west-1', undefined, 'sts')).toBe('https://sts-fips.us-gov-west-1.api.aws/');
  });

  test('a switch that is neither true nor false is an error, not a silent false', async () => {
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'yes');
    expect(await failure(() => resolve('us-east-1'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a region is checked by its shape before it reaches DNS', () => {
  test.each([
    'us-east-1/../x',
    'us-east-1.evil.example',
    'evil.example/',
    'us-east-1@evil.example',
    'us-east-1#',
    'us-east-1?',
    'us-east-1:8080',
    'US-EAST-1',
    'us_east_1',
    'us-east-1 ',
    'us-east-1\n',
    'us-east',
    'localhost',
    '',
    '-',
  ])('%j', async (region) => {
    expect(await failure(() => resolve(region))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failure(() => resolve(region, 'http://localhost'))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('which endpoint counts', () => {
  test('the option, then the variable of the service, then that of all, then the partition', () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://all.example');
    expect(resolve('us-east-1')).toBe('http://all.example/');
    vi.stubEnv('AWS_ENDPOINT_URL_ROLESANYWHERE', 'http://own.example');
    expect(resolve('us-east-1')).toBe('http://own.example/');
    // The old helper lets the variable win.
    expect(resolve('us-east-1', 'http://option.example')).toBe('http://option.example/');
    vi.stubEnv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'true');
    expect(resolve('us-east-1')).toBe('https://rolesanywhere.us-east-1.amazonaws.com/');
    expect(resolve('us-east-1', 'http://option.example')).toBe('http://option.example/');
  });

  test('an empty variable counts as unset', () => {
    vi.stubEnv('AWS_ENDPOINT_URL_ROLESANYWHERE', '');
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://all.example');
    expect(resolve('us-east-1')).toBe('http://all.example/');
  });

  test.each<[Service, string]>([
    ['sts', 'AWS_ENDPOINT_URL_STS'],
    ['redshift', 'AWS_ENDPOINT_URL_REDSHIFT'],
    ['redshift-serverless', 'AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS'],
  ])('%s has %s', (service, name) => {
    vi.stubEnv(name, 'http://own.example');
    expect(resolve('us-east-1', undefined, service)).toBe('http://own.example/');
    expect(resolve('us-east-1')).toBe('https://rolesanywhere.us-east-1.amazonaws.com/');
  });

  test.each(['AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT'])(
    '%s and an endpoint contradict each other, as in the SDKs',
    async (name) => {
      vi.stubEnv(name, 'true');
      const error = await failure(() => resolve('us-east-1', 'https://vpce.example.com'));
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toContain(name);
    },
  );
});

describe('an endpoint is a URL', () => {
  test.each([
    'rolesanywhere.us-east-1.amazonaws.com',
    'localhost:8080',
    'ftp://host/',
    'file:///etc/passwd',
    'https://',
    'https:// host/',
    'https://host/?query=1',
    'https://host/#fragment',
    'http:host',
    '',
  ])('%j is not', async (endpoint) => {
    expect(await failure(() => resolve('us-east-1', endpoint))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('a password in it is refused and not shown', async () => {
    for (const endpoint of ['https://user:hunter2@host/', 'https//user:hunter2@host/']) {
      const error = await failure(() => resolve('us-east-1', endpoint));
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(`${error.message} ${String(error.hint)}`).not.toContain('hunter2');
    }
  });

  test.each([
    ['https://vpce-x.example', '/sessions'],
    ['https://vpce-x.example/', '/sessions'],
    ['https://vpce-x.example/prefix', '/prefix/sessions'],
    ['https://vpce-x.example/prefix/', '/prefix/sessions'],
    ['https://vpce-x.example/a//b//', '/a/b/sessions'],
    ['https://vpce-x.example/a/../b', '/b/sessions'],
  ])('the path of %s is kept in front', (endpoint, path) => {
    const url = operationUrl(
      resolveEndpoint({ service: 'rolesanywhere', region: 'us-east-1', endpoint }),
      '/sessions',
    );
    expect(url.pathname).toBe(path);
    expect(url.host).toBe('vpce-x.example');
  });

  test('a port is kept, the scheme’s own is not written', () => {
    expect(resolve('us-east-1', 'https://host:8443')).toBe('https://host:8443/');
    expect(resolve('us-east-1', 'https://host:443')).toBe('https://host/');
    expect(resolve('us-east-1', 'http://[::1]:80')).toBe('http://[::1]/');
  });
});
