import { RolesAnywhereError } from '../errors.ts';
import { env } from '../runtime/env.ts';

export type ProxyMode = 'environment' | 'required' | 'none';

/**
 * The proxy for a URL, as the environment says: HTTPS_PROXY for https, HTTP_PROXY for http, NO_PROXY's hosts direct.
 * The rules are those of Go's httpproxy, which the old helper follows: the upper-case name counts before the
 * lower-case one; loopback goes direct; HTTP_PROXY in a CGI process is the client's header, not ours.
 *
 * `required` means that the user said so on the command line: a proxy must then be set, and even loopback goes
 * through it unless NO_PROXY says otherwise.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export async function proxyFor(url: URL, mode: ProxyMode): Promise<URL | undefined> {
  if (mode === 'none') return undefined;
  const name = proxyVariable(url);
  const value = env(name);
  if (value === undefined) {
    if (mode === 'environment') return undefined;
    const inCgi = name === 'http_proxy' ? '; HTTP_PROXY does not count where REQUEST_METHOD is set' : '';
    throw new RolesAnywhereError('INVALID_ARGUMENT', `--with-proxy needs a proxy, but ${name} is not set`, {
      hint: `set ${name}=http://host:port${inCgi}`,
    });
  }
  if (mode === 'environment' && isLoopback(hostOf(url))) return undefined;
  const { bypasses } = await import('./no-proxy.ts');
  if (bypasses(hostOf(url), portOf(url), env('NO_PROXY') ?? env('no_proxy') ?? '')) return undefined;
  return parseProxy(name, value);
}

/** The variable that names the proxy for a URL; where none is set, the one to set. */
export function proxyVariable({ protocol }: URL): string {
  const names = protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  // A web server hands a request's `Proxy` header to a CGI program as HTTP_PROXY (httpoxy, CVE-2016-5385).
  if (protocol === 'http:' && env('REQUEST_METHOD') !== undefined) names.shift();
  return names.find((name) => env(name) !== undefined) ?? names[0] ?? '';
}

/** Whether a host, as in a URL but without brackets, is this machine. */
export function isLoopback(host: string): boolean {
  // A URL has its IPv4 addresses in this form alone. Not isIP(): the executable would load node:net for it.
  return host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host);
}

/** The host without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/gu, '');
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

function parseProxy(name: string, value: string): URL {
  // Never the value itself in a message: it may hold a password.
  const fail = (problem: string): never => {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `${name} ${problem}`, {
      hint: 'a proxy looks like http://host:port or http://user:password@host:port',
    });
  };
  const text = value.trim();
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full)) return fail('is not a URL');
  const proxy = new URL(full);
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') {
    return fail(`has the scheme ${proxy.protocol.slice(0, -1)}, but only http and https proxies can be used`);
  }
  try {
    decodeURIComponent(proxy.username + proxy.password);
  } catch {
    return fail('has a user name or password that is not percent-encoded');
  }
  return proxy;
}
