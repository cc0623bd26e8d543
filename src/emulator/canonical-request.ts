import { createHash } from 'node:crypto';
import type { HttpRequest } from './http-request.ts';
import { headerValues, parsePairs } from './http-request.ts';

/**
 * Rebuilds the canonical request from what came over the wire (IAM User Guide, "Create a signed AWS API request",
 * step 1). Text is one character a byte throughout, so that what is hashed is what was sent.
 */
export function canonicalRequest(request: HttpRequest, signedHeaders: readonly string[]): string {
  return [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    ...signedHeaders.map((name) => `${name}:${headerValues(request, name).map(squeeze).join(',')}`),
    '',
    signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n');
}

/** The string to sign (step 3 of the same page); all of it ASCII. */
export function stringToSign(algorithm: string, timestamp: string, scope: string, canonical: string): string {
  return [algorithm, timestamp, scope, sha256(Buffer.from(canonical, 'latin1'))].join('\n');
}

/**
 * Normalized by RFC 3986, section 6.2.2.3, empty segments dropped, and each segment of the path as sent escaped once
 * more: every service but S3 signs the path escaped twice.
 */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') {
      segments.pop();
    } else if (segment !== '' && segment !== '.') {
      segments.push(escape(segment));
    }
  }
  const slash = segments.length > 0 && /\/\.{0,2}$/.test(path) ? '/' : '';
  return `/${segments.join('/')}${slash}`;
}

function canonicalQuery(query: string): string {
  return parsePairs(query)
    .map(([name, value]) => [escape(name), escape(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Everything but RFC 3986's unreserved characters, byte by byte, in upper-case hexadecimal. */
function escape(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9\-._~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function squeeze(value: string): string {
  return value.replace(/^ +| +$/g, '').replace(/ +/g, ' ');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
