import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { proxyFor, proxyVariable } from '../../src/aws/proxy.ts';
import { failure } from './failure.ts';

const names = [
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'https_proxy',
  'http_proxy',
  'no_proxy',
  'REQUEST_METHOD',
];
beforeEach(() => {
  for (const name of names) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const service = new URL('https://rolesanywhere.us-east-1.amazonaws.com/sessions');
const plain = new URL('http://emulator.example/sessions');

describe('which proxy', () => {
  test('none where none is set', async () => {
    expect(await proxyFor(service, 'environment')).toBeUndefined();
  });

  test('HTTPS_PROXY for https alone, HTTP_PROXY for http alone', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://secure.example:3128');
    expect((await proxyFor(service, 'environment'))?.host).toBe('secure.example:3128');
    expect(await proxyFor(plain, 'environment')).toBeUndefined();
    vi.stubEnv('HTTP_PROXY', 'http://plain.example:3128');
    expect((await proxyFor(service, 'environment'))?.host).toBe('secure.example:3128');
    expect((await proxyFor(plain, 'environment'))?.host).toBe('plain.example:3128');
  });

  test('lower case counts too, upper case first, an empty one is unset', async () => {
    vi.stubEnv('https_proxy', 'http://lower.example');
    expect((await proxyFor(service, 'environment'))?.host).toBe('lower.example');
    vi.stubEnv('HTTPS_PROXY', '');
    expect((await proxyFor(service, 'environment'))?.host).toBe('lower.example');
    vi.stubEnv('HTTPS_PROXY', 'http://upper.example');
    expect((await proxyFor(service, 'environment'))?.host).toBe('upper.example');
  });

  test('HTTP_PROXY is not believed in a CGI process, http_proxy is', async () => {
    vi.stubEnv('REQUEST_METHOD', 'GET');
    vi.stubEnv('HTTP_PROXY', 'http://evil.example');
    expect(await proxyFor(plain, 'environment')).toBeUndefined();
    const error = await failure(() => proxyFor(plain, 'required'));
    expect(error.message).not.toContain('HTTP_PROXY');
    expect(error.hint).toMatch(/http_proxy=.*REQUEST_METHOD/u);
    vi.stubEnv('http_proxy', 'http://good.example');
    expect((await proxyFor(plain, 'environment'))?.host).toBe('good.example');
  });

  test('a value without a scheme is an http proxy', async () => {
    vi.stubEnv('HTTPS_PROXY', 'proxy.example:3128');
    expect((await proxyFor(service, 'environment'))?.href).toBe('http://proxy.example:3128/');
  });

  test('an https proxy', async () => {
    vi.stubEnv('HTTPS_PROXY', 'https://proxy.example');
    expect((await proxyFor(service, 'environment'))?.protocol).toBe('https:');
  });

  test.each([
    'socks5://proxy.example:1080',
    'http://',
    'http://user:hunter2@',
    'http://u%ZZ:hunter2@proxy.example',
  ])('%s cannot be used, and its password is not shown', async (value) => {
    vi.stubEnv('HTTPS_PROXY', value);
    const error = await failure(() => proxyFor(service, 'environment'));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain('HTTPS_PROXY');
    expect(error.message).not.toContain('hunter2');
  });

  test.each([
    ['HTTPS_PROXY', service],
    ['https_proxy', service],
    ['HTTP_PROXY', plain],
    ['http_proxy', plain],
  ])('%s is called by its name', async (name, url) => {
    vi.stubEnv(name, 'socks5://proxy.example');
    expect((await failure(() => proxyFor(url, 'environment'))).message).toMatch(new RegExp(`^${name} `, 'u'));
    expect(proxyVariable(url)).toBe(name);
  });

  test.each([
    ['HTTPS_PROXY', service],
    ['HTTP_PROXY', plain],
  ])('%s is the one to set', async (name, url) => {
    expect(proxyVariable(url)).toBe(name);
    expect((await failure(() => proxyFor(url, 'required'))).hint).toContain(`${name}=`);
  });

  test('--no-proxy goes direct', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.example');
    expect(await proxyFor(service, 'none')).toBeUndefined();
  });

  test('--with-proxy wants one to be set', async () => {
    const error = await failure(() => proxyFor(service, 'required'));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain('HTTPS_PROXY');
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.example');
    expect((await proxyFor(service, 'required'))?.host).toBe('proxy.example');
    vi.stubEnv('NO_PROXY', '*');
    expect(await proxyFor(service, 'required')).toBeUndefined();
  });

  test.each(['https://localhost/', 'https://127.0.0.1:8443/', 'https://127.9.9.9/', 'https://[::1]/'])(
    '%s goes direct unless --with-proxy says otherwise',
    async (url) => {
      vi.stubEnv('HTTPS_PROXY', 'http://proxy.example');
      expect(await proxyFor(new URL(url), 'environment')).toBeUndefined();
      expect((await proxyFor(new URL(url), 'required'))?.host).toBe('proxy.example');
    },
  );

  test('a name that only begins like a loopback address is not one', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.example');
    expect((await proxyFor(new URL('https://127.0.0.1.evil.example/'), 'environment'))?.host).toBe(
      'proxy.example',
    );
  });
});

describe('NO_PROXY', () => {
  test.each([
    // entry, host, direct?
    ['*', 'https://anything.example/', true],
    ['example.com', 'https://example.com/', true],
    ['EXAMPLE.com', 'https://example.COM/', true],
    ['example.com', 'https://sub.example.com/', true],
    ['example.com', 'https://notexample.com/', false],
    ['example.com', 'https://example.com.evil.example/', false],
    ['.example.com', 'https://sub.example.com/', true],
    ['.example.com', 'https://example.com/', false],
    ['*.example.com', 'https://sub.example.com/', true],
    ['*.example.com', 'https://example.com/', false],
    ['example.com:443', 'https://example.com/', true],
    ['example.com:8443', 'https://example.com/', false],
    ['example.com:8443', 'https://example.com:8443/', true],
    ['example.com', 'https://example.com:8443/', true],
    ['10.1.2.3', 'https://10.1.2.3/', true],
    ['10.1.2.3', 'https://10.1.2.4/', false],
    ['10.1.2.3:443', 'https://10.1.2.3/', true],
    ['10.1.2.3:444', 'https://10.1.2.3/', false],
    ['10.0.0.0/8', 'https://10.200.3.4/', true],
    ['10.0.0.0/8', 'https://11.0.0.1/', false],
    ['192.168.1.77/24', 'https://192.168.1.5/', true],
    ['10.0.0.0/99', 'https://10.0.0.1/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['fd00::/8', 'https://[fe80::1]/', false],
    ['fd12::1', 'https://[fd12:0::1]/', true],
    ['[fd12::1]:8443', 'https://[fd12::1]:8443/', true],
    ['[fd12::1]:8443', 'https://[fd12::1]/', false],
    ['[fd12::1]', 'https://[fd12::1]/', true],
    ['0.1', 'https://10.0.0.1/', false],
    ['other.example, example.com', 'https://example.com/', true],
    ['other.example  example.com', 'https://example.com/', true],
    [' , ,', 'https://example.com/', false],
    [':443', 'https://example.com/', false],
    ['.', 'https://example.com/', false],
    ['10.0.0.0/', 'https://10.0.0.1/', false],
    ['amazonaws.com', 'https://rolesanywhere.us-east-1.amazonaws.com/', true],
  ])('%j and %s: direct is %s', async (list, url, direct) => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.example');
    vi.stubEnv('NO_PROXY', list);
    expect((await proxyFor(new URL(url), 'environment')) === undefined).toBe(direct);
    vi.stubEnv('NO_PROXY', undefined);
    vi.stubEnv('no_proxy', list);
    expect((await proxyFor(new URL(url), 'environment')) === undefined).toBe(direct);
  });
});
