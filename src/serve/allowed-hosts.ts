import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';

const wildcards = ['0.0.0.0', '::'];

/** Whether nobody but this machine reaches the address. */
export function isLoopback(address: string): boolean {
  return /^(?:127\.|::1$|::ffff:127\.)/.test(address);
}

/**
 * Which `Host` headers are answered: those that name what we are bound to. A page in a browser can make its own name
 * lead here ("DNS rebinding"), and its requests then carry that name; addresses cannot be made to lead anywhere else.
 *
 * @param bound what the server was told to listen at, a name or an address
 * @param actual what it listens at; undefined of a unix socket, which no browser reaches
 */
export function allowedHosts(
  bound: string | undefined,
  actual: AddressInfo | undefined,
): (host: string) => boolean {
  if (actual === undefined) return () => true;
  const { address } = actual;
  const names = new Set([address, ...(bound === undefined ? [] : [bound.toLowerCase()])]);
  const isWildcard = wildcards.includes(address);
  if (isWildcard || isLoopback(address)) names.add('localhost');
  const isAllowed = (host: string): boolean => {
    const name = hostName(host);
    return name !== undefined && (names.has(name) || (isWildcard && isIP(name) !== 0));
  };
  // Nearly all requests name the same.
  let good: string | undefined;
  return (host) => {
    if (host === good) return true;
    if (!isAllowed(host)) return false;
    good = host;
    return true;
  };
}

/** Without its port, which is another one where a container's port is published; an IPv6 address without its brackets. */
function hostName(host: string): string | undefined {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host) ?? [];
  return (address ?? name)?.toLowerCase().replace(/\.$/, '');
}
