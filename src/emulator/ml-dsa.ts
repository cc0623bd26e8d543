import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';

/**
 * FIPS 204's parameter sets by object identifier (RFC 9881, section 2). In JavaScript on every runtime: where OpenSSL
 * knows them the signer uses OpenSSL, so that the two do not share a bug.
 */
const parameterSets = new Map([
  ['2.16.840.1.101.3.4.3.17', { name: 'ML-DSA-44', mlDsa: ml_dsa44 }],
  ['2.16.840.1.101.3.4.3.18', { name: 'ML-DSA-65', mlDsa: ml_dsa65 }],
  ['2.16.840.1.101.3.4.3.19', { name: 'ML-DSA-87', mlDsa: ml_dsa87 }],
]);

export function mlDsaName(algorithm: string): string | undefined {
  return parameterSets.get(algorithm)?.name;
}

/** A public key. */
export interface MlDsaKey {
  readonly name: string;
  /** Verifies pure ML-DSA with an empty context. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** Undefined for a key of another type, or one whose length is not its type's. */
export function readMlDsaKey(algorithm: string, bytes: Uint8Array): MlDsaKey | undefined {
  const parameters = parameterSets.get(algorithm);
  if (parameters === undefined || bytes.length !== parameters.mlDsa.lengths.publicKey) {
    return undefined;
  }
  const { name, mlDsa } = parameters;
  return {
    name,
    verify: (message, signature) =>
      signature.length === mlDsa.lengths.signature && mlDsa.verify(signature, message, bytes),
  };
}
