import { sign } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import {
  DerReader,
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  tags,
} from '../../src/encoding/der.ts';
import type { DerPieces } from '../../src/encoding/der.ts';
import type { MlDsa } from '../../src/certificate/ml-dsa.ts';
import type { Issued } from './pki.ts';

/*
 * ML-DSA keys and certificates, made on runtimes whose OpenSSL knows none: certificates of other keys, with another
 * key put into them.
 */

export const mlDsaNames = ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const;

const algorithms = {
  'ml-dsa-44': { mlDsa: ml_dsa44, identifier: '2.16.840.1.101.3.4.3.17' },
  'ml-dsa-65': { mlDsa: ml_dsa65, identifier: '2.16.840.1.101.3.4.3.18' },
  'ml-dsa-87': { mlDsa: ml_dsa87, identifier: '2.16.840.1.101.3.4.3.19' },
};

export interface MlDsaKeys {
  readonly name: MlDsa;
  readonly seed: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** PKCS#8 in the three forms of RFC 9881, section 6. */
  readonly pkcs8: { readonly seed: Uint8Array; readonly expanded: Uint8Array; readonly both: Uint8Array };
}

export function makeMlDsaKeys(name: MlDsa, seed: Uint8Array = Buffer.alloc(32, name)): MlDsaKeys {
  const { secretKey, publicKey } = algorithms[name].mlDsa.keygen(seed);
  const pkcs8 = (key: DerPieces): Uint8Array =>
    derBytes(derSequence(derInteger(0n), algorithmOf(name), derOctetString(key)));
  return {
    name,
    seed,
    secretKey,
    publicKey,
    spki: derBytes(derSequence(algorithmOf(name), bitString(publicKey))),
    pkcs8: {
      seed: pkcs8(derElement(0x80, [seed])),
      expanded: pkcs8(derOctetString([secretKey])),
      both: pkcs8(derSequence(derOctetString([seed]), derOctetString([secretKey]))),
    },
  };
}

export function verifyMlDsa(keys: MlDsaKeys, message: Uint8Array, signature: Uint8Array): boolean {
  return algorithms[keys.name].mlDsa.verify(signature, message, keys.publicKey);
}

/**
 * A certificate like this one, for an ML-DSA key.
 *
 * @param issuer whose key signs it
 * @returns DER
 */
export function certify(template: Issued, keys: MlDsaKeys | undefined, issuer: Issued | MlDsaKeys): Buffer {
  const [body, algorithm] = elements(template.certificateDer);
  const signatureAlgorithm = 'seed' in issuer ? algorithmOf(issuer.name) : [algorithm ?? Buffer.alloc(0)];
  const fields = elements(body ?? Buffer.alloc(0)).map((field, index): DerPieces => {
    if (index === 2) return signatureAlgorithm;
    return [index === 6 && keys !== undefined ? keys.spki : field];
  });
  const signed = derBytes(derSequence(...fields));
  const signature =
    'seed' in issuer
      ? algorithms[issuer.name].mlDsa.sign(signed, issuer.secretKey)
      : sign('sha256', signed, issuer.keys.privateKey);
  return Buffer.from(derBytes(derSequence([signed], signatureAlgorithm, bitString(signature))));
}

function algorithmOf(name: MlDsa): DerPieces {
  return derSequence(derObjectIdentifier(algorithms[name].identifier));
}

function bitString(bytes: Uint8Array): DerPieces {
  return derElement(tags.bitString, [Uint8Array.of(0), bytes]);
}

function elements(der: Uint8Array): Uint8Array[] {
  const reader = new DerReader(der).sequence();
  const list: Uint8Array[] = [];
  while (!reader.done) list.push(reader.next().encoded);
  return list;
}
