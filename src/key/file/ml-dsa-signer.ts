import { loadMlDsa, mlDsaIdentifier } from '../../certificate/ml-dsa.ts';
import type { MlDsa } from '../../certificate/ml-dsa.ts';
import {
  DerReader,
  derBytes,
  derElement,
  derObjectIdentifier,
  derSequence,
  tags,
} from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { Signer } from '../signer.ts';
import { KeyObjectSigner } from './key-object-signer.ts';
import type { PrivateKey } from './private-key.ts';

type MlDsaPrivateKey = Extract<PrivateKey, { readonly keyType: MlDsa }>;

/**
 * Opens an ML-DSA key by `node:crypto`, which knows it from Node.js 24 on, or else in JavaScript. Wipes the key.
 *
 * @throws EncodingError
 */
export async function openMlDsa(key: MlDsaPrivateKey): Promise<Signer> {
  const der = Uint8Array.from(key.der);
  try {
    return new KeyObjectSigner(key);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    // Unknown to the runtime, or a bad key: this one tells.
    return await MlDsaSigner.open(key.keyType, der);
  } finally {
    der.fill(0);
  }
}

/** An ML-DSA key in this process's memory. */
export class MlDsaSigner implements Signer {
  readonly keyType: MlDsa;
  readonly publicKey: Uint8Array;
  #secretKey: Uint8Array | undefined;

  private constructor(keyType: MlDsa, secretKey: Uint8Array, publicKey: Uint8Array) {
    this.keyType = keyType;
    this.#secretKey = secretKey;
    this.publicKey = derBytes(
      derSequence(
        derSequence(derObjectIdentifier(mlDsaIdentifier(keyType))),
        derElement(tags.bitString, [Uint8Array.of(0), publicKey]),
      ),
    );
  }

  /**
   * @param der PKCS#8
   * @throws EncodingError
   */
  static async open(keyType: MlDsa, der: Uint8Array): Promise<MlDsaSigner> {
    const mlDsa = await loadMlDsa(keyType);
    const { seed, expanded } = decodePrivateKey(der);
    if (seed === undefined) {
      const secretKey = Uint8Array.from(expanded);
      try {
        const publicKey = mlDsa.getPublicKey(secretKey);
        // Its parts are numbers that anybody could have put together: only a signature shows that they belong to one key.
        const message = new Uint8Array(1);
        if (mlDsa.verify(mlDsa.sign(message, secretKey), message, publicKey)) {
          return new MlDsaSigner(keyType, secretKey, publicKey);
        }
      } catch {
        // noble's way of saying the same.
      }
      throw new EncodingError('its numbers make no key');
    }
    if (seed.length !== 32) throw new EncodingError('the seed of an ML-DSA key must have 32 bytes');
    const { secretKey, publicKey } = mlDsa.keygen(seed);
    // RFC 9881, section 8.2: a seed and an expanded key that disagree are no key.
    if (expanded !== undefined && Buffer.compare(expanded, secretKey) !== 0) {
      throw new EncodingError('its seed is not that of its expanded key');
    }
    return new MlDsaSigner(keyType, secretKey, publicKey);
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    if (this.#secretKey === undefined) {
      throw new RolesAnywhereError('SIGNING_FAILED', 'the private key is closed');
    }
    // Hedged with fresh randomness, as FIPS 204, section 3.4, prefers.
    return (await loadMlDsa(this.keyType)).sign(message, this.#secretKey);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#secretKey?.fill(0);
    this.#secretKey = undefined;
    return Promise.resolve();
  }
}

/** ML-DSA-PrivateKey, one of three forms: RFC 9881, section 6. */
function decodePrivateKey(
  der: Uint8Array,
): { seed: Uint8Array; expanded: Uint8Array | undefined } | { seed: undefined; expanded: Uint8Array } {
  const info = new DerReader(der).sequence();
  info.integer();
  info.sequence();
  const key = new DerReader(info.octetString());
  switch (key.peek()) {
    case 0x80:
      return { seed: key.next().content, expanded: undefined };
    case tags.octetString:
      return { seed: undefined, expanded: key.octetString() };
    default: {
      const both = key.sequence();
      return { seed: both.octetString(), expanded: both.octetString() };
    }
  }
}
