/** The key types that IAM Roles Anywhere accepts. */
export type KeyType = 'rsa' | 'ec' | 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87';

/** The digest that `sign` hashes a message with. ML-DSA ignores it: it signs the message itself. */
export type Digest = 'SHA256' | 'SHA384' | 'SHA512';

/**
 * A private key that can sign, wherever it lives. A backend (a file, a token, a TPM) is one implementation of this.
 * Disposing it closes what it holds; signing afterwards is an error.
 */
export interface Signer extends AsyncDisposable {
  readonly keyType: KeyType;
  /** The public key as a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). */
  readonly publicKey: Uint8Array;
  /**
   * Signs the message: RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2) for RSA, ECDSA as a DER `SEQUENCE { r, s }`
   * (RFC 3279, section 2.2.3) for EC, both over the digest of the message (SHA-256 unless told otherwise);
   * pure ML-DSA with an empty context (FIPS 204, algorithm 2).
   *
   * @throws RolesAnywhereError SIGNING_FAILED
   */
  sign(message: Uint8Array, digest?: Digest): Promise<Uint8Array>;
}
