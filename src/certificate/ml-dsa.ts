import { createPublicKey } from 'node:crypto';
import type { DSA } from '@noble/post-quantum/ml-dsa.js';
import { DerReader, tags } from '../encoding/der.ts';
import type { Certificate } from './certificate.ts';
import type { SignatureCheck } from './chain.ts';

export type MlDsa = 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87';

/** FIPS 204's parameter sets: keys and signatures have the same identifiers, without parameters (RFC 9881, section 2). */
const parameterSets: Readonly<Record<string, MlDsa>> = {
  '2.16.840.1.101.3.4.3.17': 'ml-dsa-44',
  '2.16.840.1.101.3.4.3.18': 'ml-dsa-65',
  '2.16.840.1.101.3.4.3.19': 'ml-dsa-87',
};

/** The ML-DSA parameter set that an object identifier names. */
export function mlDsaOf(identifier: string): MlDsa | undefined {
  return parameterSets[identifier];
}

export function mlDsaIdentifier(name: MlDsa): string {
  return Object.keys(parameterSets).find((identifier) => parameterSets[identifier] === name) ?? '';
}

/** ML-DSA in JavaScript, for runtimes whose `node:crypto` does not know it: Node.js before 24. */
export async function loadMlDsa(name: MlDsa): Promise<DSA> {
  const { ml_dsa44, ml_dsa65, ml_dsa87 } = await import('@noble/post-quantum/ml-dsa.js');
  return { 'ml-dsa-44': ml_dsa44, 'ml-dsa-65': ml_dsa65, 'ml-dsa-87': ml_dsa87 }[name];
}

/**
 * A check of certificates' ML-DSA signatures for `orderIssuers`, where the runtime does not know the type of these
 * certificates' keys. Undefined where there is none such: nothing is loaded then.
 */
export async function mlDsaSignatureCheck(
  issuers: readonly Certificate[],
): Promise<SignatureCheck | undefined> {
  const names = issuers.flatMap(({ publicKey }) => {
    const name = readPublicKey(publicKey)?.name;
    return name === undefined || isKnown(publicKey) ? [] : name;
  });
  const known = new Map<MlDsa, DSA>();
  for (const name of names) known.set(name, await loadMlDsa(name));
  if (known.size === 0) return undefined;
  return (certificate, issuerKey) => {
    const key = readPublicKey(issuerKey);
    const mlDsa = key && known.get(key.name);
    if (key === undefined || mlDsa === undefined) return false;
    const outer = new DerReader(certificate).sequence();
    const signed = outer.next(tags.sequence).encoded;
    const algorithm = outer.sequence().objectIdentifier();
    const signature = outer.bitString().bytes;
    // noble throws where a length is wrong.
    return (
      mlDsaOf(algorithm) === key.name &&
      key.bytes.length === mlDsa.lengths.publicKey &&
      signature.length === mlDsa.lengths.signature &&
      mlDsa.verify(signature, signed, key.bytes)
    );
  };
}

function isKnown(spki: Uint8Array): boolean {
  try {
    createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return true;
  } catch {
    return false;
  }
}

/** An ML-DSA key, from a SubjectPublicKeyInfo. */
function readPublicKey(spki: Uint8Array): { name: MlDsa; bytes: Uint8Array } | undefined {
  const info = new DerReader(spki).sequence();
  const name = mlDsaOf(info.sequence().objectIdentifier());
  return name && { name, bytes: info.bitString().bytes };
}
