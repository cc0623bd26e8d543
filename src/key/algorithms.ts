import type { KeyType } from './signer.ts';

/** The SigV4 algorithm name of each key type, as the service expects it in `Authorization`. */
export const signingAlgorithms = {
  rsa: 'AWS4-X509-RSA-SHA256',
  ec: 'AWS4-X509-ECDSA-SHA256',
  'ml-dsa-44': 'AWS4-X509-MLDSA',
  'ml-dsa-65': 'AWS4-X509-MLDSA',
  'ml-dsa-87': 'AWS4-X509-MLDSA',
} as const satisfies Record<KeyType, string>;
