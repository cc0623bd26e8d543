import { BlockList, isIP } from 'node:net';

/**
 * Whether NO_PROXY exempts a host: it lists `*`, hosts and domains, addresses, networks, each with a port or without,
 * separated by commas.
 *
 * @param host as in a URL but without brackets
 */
export function bypasses(host: string, port: string, list: string): boolean {
  return list
    .split(/[\s,]+/u)
    .filter((entry) => entry !== '')
    .some((entry) => matches(entry.toLowerCase(), host.toLowerCase(), port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const network = /^([\d.a-f:]+)\/(\d{1,3})$/u.exec(entry);
  if (network !== null) return contains(network[1] ?? '', Number(network[2]), host);
  // host, host:port, [address]:port; a bare IPv6 address has more than one colon and no port.
  const [, bracketed, plain, entryPort] = /^(?:\[(.+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/u.exec(entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  const name = (bracketed ?? plain ?? '').replace(/^\*\./u, '.');
  if (name === '') return false;
  if (isIP(name) !== 0) return contains(name, isIP(name) === 4 ? 32 : 128, host);
  if (isIP(host) !== 0) return false;
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function contains(network: string, prefix: number, host: string): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(host) === 0 || prefix > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}
