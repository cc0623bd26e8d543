// A request signer straight from "The IAM Roles Anywhere authentication signing process" of the user guide, in which
// every step can be spoilt. Shares nothing with src.
import type { KeyObject } from 'node:crypto';
import { createHash, sign } from 'node:crypto';
import type { Issued } from './pki.ts';
import { noon } from './pki.ts';

export type Headers = readonly (readonly [name: string, value: string])[];

export interface RawRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: string | Buffer;
}

export interface SigningSteps {
  readonly host: string;
  readonly leaf: Issued;
  readonly chain?: readonly Issued[];
  readonly key?: KeyObject;
  readonly method?: string;
  readonly path?: string;
  /** As sent, and as it stands in the canonical request where that differs. */
  readonly query?: string;
  readonly canonicalQuery?: string;
  readonly canonicalPath?: string;
  readonly body?: string | Buffer;
  readonly date?: Date;
  readonly algorithm?: string;
  readonly serial?: string;
  readonly scope?: string;
  /** More headers, signed; and headers to leave out of the request or of the signature. */
  readonly headers?: Headers;
  readonly unsigned?: readonly string[];
  /** The list as given, instead of the sorted names. */
  readonly signedHeaders?: readonly string[];
  /** Reworks the headers before they are signed. */
  readonly rework?: (headers: Headers) => Headers;
}

export const timestamp = (date: Date): string => date.toISOString().replace(/[-:]|\.\d+/g, '');
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

export function signedRequest(steps: SigningSteps): RawRequest {
  const { leaf, chain = [], method = 'POST', path = '/sessions', query = '', body = '' } = steps;
  const date = timestamp(steps.date ?? noon);
  const plain: Headers = [
    ['Host', steps.host],
    ['Content-Type', 'application/json'],
    ['X-Amz-Date', date],
    ['X-Amz-X509', leaf.der.toString('base64')],
    ...(chain.length === 0
      ? []
      : [['X-Amz-X509-Chain', chain.map(({ der }) => der.toString('base64')).join(',')] as const]),
    ...(steps.headers ?? []),
  ];
  const headers = steps.rework?.(plain) ?? plain;
  const signedHeaders =
    steps.signedHeaders ??
    [...new Set(headers.map(([name]) => name.toLowerCase()))]
      .filter((name) => !(steps.unsigned ?? []).includes(name))
      .sort();
  const value = (name: string): string =>
    headers
      .filter(([key]) => key.toLowerCase() === name)
      .map(([, text]) => text.trim().replace(/ +/g, ' '))
      .join(',');
  const canonicalRequest = [
    method,
    steps.canonicalPath ?? path,
    steps.canonicalQuery ?? query.split('&').sort().join('&'),
    signedHeaders.map((name) => `${name}:${value(name)}\n`).join(''),
    signedHeaders.join(';'),
    sha256(body),
  ].join('\n');
  const rsa = leaf.keys.publicKey.asymmetricKeyType === 'rsa';
  const algorithm = steps.algorithm ?? (rsa ? 'AWS4-X509-RSA-SHA256' : 'AWS4-X509-ECDSA-SHA256');
  const scope = steps.scope ?? `${date.slice(0, 8)}/us-east-1/rolesanywhere/aws4_request`;
  const stringToSign = [algorithm, date, scope, sha256(canonicalRequest)].join('\n');
  const signature = sign('sha256', Buffer.from(stringToSign), steps.key ?? leaf.keys.privateKey).toString(
    'hex',
  );
  const credential = `${steps.serial ?? leaf.serial.toString()}/${scope}`;
  return {
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers: [
      ...headers,
      [
        'Authorization',
        `${algorithm} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
      ],
    ],
    body,
  };
}
