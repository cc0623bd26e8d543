import { hash } from 'node:crypto';
import type { Certificate } from '../certificate/certificate.ts';
import type { Identity } from '../identity/identity.ts';
import { signingAlgorithms } from '../key/algorithms.ts';

/*
 * Signature Version 4 with a certificate's key in place of a secret access key: the steps of "Signing process" in the
 * IAM Roles Anywhere User Guide (authentication-sign-process), one pure function each. All but the key and the
 * name in `Credential` is Signature Version 4 as in the IAM User Guide, "Create a signed AWS API request".
 */

/** What a signature covers: the request as it goes over the wire. */
export interface SignableRequest {
  readonly method: string;
  /** The path as sent, with an endpoint's prefix. */
  readonly path: string;
  /** The query as sent, without the question mark. */
  readonly query: string;
  /** Every header to be signed; a name may occur more than once, in any case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Whose signature, where and when: the rest of what the string to sign says. */
export interface SigningScope {
  readonly region: string;
  readonly service: string;
  readonly now: Date;
}

/** `YYYYMMDDTHHMMSSZ`, the form of the x-amz-date header. */
export function amzDate(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d{3}/gu, '');
}

/** `YYYYMMDD/{region}/{service}/aws4_request` */
export function credentialScope({ region, service, now }: SigningScope): string {
  return `${amzDate(now).slice(0, 8)}/${region}/${service}/aws4_request`;
}

/** Step 1: the request in the one form that both sides hash. */
export function canonicalRequest(request: SignableRequest): string {
  const headers = canonicalHeaders(request.headers);
  return [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    signedHeaders(request.headers),
    sha256(request.body),
  ].join('\n');
}

/** The signed headers' names: lower case, sorted, each once, separated by semicolons. */
export function signedHeaders(headers: SignableRequest['headers']): string {
  return canonicalHeaders(headers)
    .map(([name]) => name)
    .join(';');
}

/** Step 2: what the key signs. */
export function stringToSign(algorithm: string, scope: SigningScope, canonical: string): string {
  return [algorithm, amzDate(scope.now), credentialScope(scope), sha256(canonical)].join('\n');
}

/** Step 3: the Authorization header. The credential is the certificate's serial number, in decimal. */
export function authorizationHeader(
  algorithm: string,
  scope: SigningScope,
  certificate: Pick<Certificate, 'serialNumber'>,
  signed: string,
  signature: Uint8Array,
): string {
  const credential = `${certificate.serialNumber.toString(10)}/${credentialScope(scope)}`;
  const hex = Buffer.from(signature).toString('hex');
  return `${algorithm} Credential=${credential}, SignedHeaders=${signed}, Signature=${hex}`;
}

/**
 * All steps: the headers that authenticate the request, `x-amz-date`, `x-amz-x509`, `x-amz-x509-chain` where there
 * is a chain, and `authorization`. The request's own headers are signed as they are given; `host` must be there.
 *
 * @throws RolesAnywhereError SIGNING_FAILED, from the key
 */
export async function signWithCertificate(
  request: SignableRequest,
  identity: Identity,
  scope: SigningScope,
): Promise<readonly (readonly [name: string, value: string])[]> {
  const algorithm = signingAlgorithms[identity.signer.keyType];
  const added: [string, string][] = [
    ['x-amz-date', amzDate(scope.now)],
    ['x-amz-x509', base64(identity.certificate)],
  ];
  if (identity.chain.length > 0) added.push(['x-amz-x509-chain', identity.chain.map(base64).join(',')]);
  const headers = [...request.headers, ...added];
  const text = stringToSign(algorithm, scope, canonicalRequest({ ...request, headers }));
  const signature = await identity.signer.sign(Buffer.from(text));
  const authorization = authorizationHeader(
    algorithm,
    scope,
    identity.certificate,
    signedHeaders(headers),
    signature,
  );
  return [...added, ['authorization', authorization]];
}

/** Dot segments resolved, doubled slashes made one (RFC 3986, section 6), then each segment encoded once more. */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  const trailing = segments.length > 0 && /\/(?:\.{1,2})?$/u.test(path) ? '/' : '';
  return `/${segments.join('/')}${trailing}`;
}

/** Names and values encoded, then sorted by name and, where names are equal, by value. */
function canonicalQuery(query: string): string {
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const at = pair.indexOf('=');
      const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))];
    });
  pairs.sort(([a, x], [b, y]) => order(a, b) || order(x, y));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

/** Names in lower case and sorted; the values of equal names joined; runs of white space made one space. */
function canonicalHeaders(headers: SignableRequest['headers']): [string, string][] {
  const values = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    values.set(key, [...(values.get(key) ?? []), value.trim().replace(/\s+/gu, ' ')]);
  }
  return [...values]
    .sort(([a], [b]) => order(a, b))
    .map(([name, list]): [string, string] => [name, list.join(',')]);
}

/** UriEncode of Signature Version 4: all but the unreserved characters of RFC 3986, section 2.3. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/gu,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** By code unit: after encoding all is ASCII, and locales must not matter. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function base64(certificate: Certificate): string {
  return Buffer.from(certificate.der).toString('base64');
}

function sha256(text: string): string {
  return hash('sha256', text);
}
