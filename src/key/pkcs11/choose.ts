import { findLeaf } from '../../certificate/chain.ts';
import type { Certificate } from '../../certificate/certificate.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { KeyType } from '../signer.ts';
import * as ck from './constants.ts';
import { equal } from './objects.ts';
import type { FoundKey } from './protocol.ts';
import { describePublicKey } from './public-key.ts';

/** A certificate on a token. */
export interface Candidate {
  readonly certificate: Certificate;
  readonly uri: string;
  readonly slot: string;
  /** Whether it is one that was looked for. */
  readonly matches: boolean;
}

export interface ChosenKey {
  readonly key: FoundKey;
  readonly publicKey: Uint8Array;
  /** Whether the token told the public key; else it is a certificate's, and the first signature has to prove it. */
  readonly proven: boolean;
}

/**
 * The key that has one of the public keys, or any if none is given. A key whose public key the token does not tell
 * is taken for the first one's when it is the only one of its kind.
 *
 * @throws RolesAnywhereError PKCS11_AMBIGUOUS when several different keys remain
 */
export function chooseKey(
  keys: readonly FoundKey[],
  publicKeys: readonly Uint8Array[],
): ChosenKey | undefined {
  const sorted = [...keys].sort(byUri);
  const known = sorted.flatMap((key) =>
    key.publicKey !== undefined && (publicKeys.length === 0 || isIn(publicKeys, key.publicKey))
      ? [{ key, publicKey: key.publicKey, proven: true }]
      : [],
  );
  const [first] = known;
  if (first !== undefined) {
    if (known.every(({ publicKey }) => equal(publicKey, first.publicKey))) return first;
    throw ambiguous(
      'private keys',
      known.map(({ key }) => key.uri),
    );
  }
  for (const publicKey of publicKeys) {
    const { keyType } = describePublicKey(publicKey);
    const unknown = sorted.filter((key) => key.publicKey === undefined && keyTypeOf(key) === keyType);
    const [key] = unknown;
    if (key === undefined) continue;
    if (unknown.length === 1) return { key, publicKey, proven: false };
    throw ambiguous(
      'private keys',
      unknown.map(({ uri }) => uri),
    );
  }
  return undefined;
}

/** What goes to the service: the key's certificate, then the others on its token, of which its issuers are sent. */
export function certificatesFor(
  publicKey: Uint8Array,
  leaves: readonly Candidate[],
  all: readonly Candidate[],
  now: Date,
): readonly Certificate[] {
  const leaf = findLeaf(certificatesOf(leaves), publicKey, now);
  if (leaf === undefined) return [];
  return [leaf, ...certificatesOf(all).filter((other) => !equal(other.publicKey, leaf.publicKey))];
}

export function latestFirst(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...candidates].sort(
    (a, b) => b.certificate.notAfter.getTime() - a.certificate.notAfter.getTime() || byUri(a, b),
  );
}

/** The public keys of the certificates, each once. */
export function publicKeysOf(candidates: readonly Candidate[]): readonly Uint8Array[] {
  const publicKeys: Uint8Array[] = [];
  for (const { certificate } of candidates) {
    if (!isIn(publicKeys, certificate.publicKey)) publicKeys.push(certificate.publicKey);
  }
  return publicKeys;
}

function isIn(publicKeys: readonly Uint8Array[], publicKey: Uint8Array): boolean {
  return publicKeys.some((one) => equal(one, publicKey));
}

export function byUri(a: { readonly uri: string }, b: { readonly uri: string }): number {
  return a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : 0;
}

export function listUris(found: readonly { readonly uri: string }[]): string {
  return [...new Set(found.map(({ uri }) => uri))].sort().join(', ');
}

function ambiguous(what: string, uris: readonly string[]): RolesAnywhereError {
  return new RolesAnywhereError(
    'PKCS11_AMBIGUOUS',
    `several ${what} match: ${[...new Set(uris)].sort().join(', ')}`,
    {
      hint: 'name one by its own URI, or use --use-latest-expiring-certificate',
    },
  );
}

function certificatesOf(candidates: readonly Candidate[]): readonly Certificate[] {
  return candidates.map(({ certificate }) => certificate);
}

function keyTypeOf({ keyType }: FoundKey): KeyType | undefined {
  return keyType === ck.CKK_RSA ? 'rsa' : keyType === ck.CKK_EC ? 'ec' : undefined;
}
