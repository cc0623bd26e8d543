import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { Digest, KeyType, Signer } from '../signer.ts';
import type { PrivateKey } from './private-key.ts';

/** A private key in this process's memory, held by OpenSSL. */
export class KeyObjectSigner implements Signer {
  readonly keyType: KeyType;
  readonly publicKey: Uint8Array;
  #key: KeyObject | undefined;

  /**
   * Takes the key over: its bytes are wiped.
   *
   * @throws EncodingError
   */
  constructor(key: PrivateKey) {
    const { keyType, type, der } = key;
    try {
      this.#key = createPrivateKey({
        key: Buffer.from(der.buffer, der.byteOffset, der.length),
        format: 'der',
        type,
      });
      // An RSA key holds it; OpenSSL takes half a millisecond to write it.
      this.publicKey =
        key.keyType === 'rsa'
          ? key.publicKey
          : createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
      // Node.js 22 imports ML-DSA keys, as its OpenSSL can, and cannot use them.
      if ((this.#key.asymmetricKeyType as string | undefined) !== keyType) throw new Error('another type');
    } catch {
      // OpenSSL's words name its own functions, and could one day quote the key.
      throw new EncodingError('its numbers make no key');
    } finally {
      der.fill(0);
    }
    this.keyType = keyType;
  }

  sign(message: Uint8Array, digest: Digest = 'SHA256'): Promise<Uint8Array> {
    if (this.#key === undefined) {
      return Promise.reject(new RolesAnywhereError('SIGNING_FAILED', 'the private key is closed'));
    }
    try {
      // The defaults are what the contract says: PKCS#1 v1.5 padding for RSA, DER for ECDSA, an empty context for ML-DSA.
      const hash = this.keyType === 'rsa' || this.keyType === 'ec' ? digest : null;
      return Promise.resolve(sign(hash, message, this.#key));
    } catch (cause) {
      return Promise.reject(
        new RolesAnywhereError('SIGNING_FAILED', 'the private key cannot sign', { cause }),
      );
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#key = undefined;
    return Promise.resolve();
  }
}
