import { createPublicKey, verify } from 'node:crypto';
import { RolesAnywhereError } from '../../errors.ts';
import type { Digest, KeyType, Signer } from '../signer.ts';
import type { Connection } from './connection.ts';
import { wasLost } from './failure.ts';
import type { FoundKey } from './protocol.ts';
import { describePublicKey } from './public-key.ts';

/** A key that can be asked to sign, and the process that reaches it. */
export interface OpenKey {
  readonly connection: Connection;
  readonly key: FoundKey;
}

export interface TokenSignerSettings {
  readonly publicKey: Uint8Array;
  /** Whether the token told this public key; else a certificate did, and the first signature has to prove it. */
  readonly proven: boolean;
  /** Finds the same key again after its token or module was lost. */
  readonly reopen: () => Promise<OpenKey>;
}

/** A key on a token. Its session stays open; a token that was taken out and put back is found again. */
export class TokenSigner implements Signer {
  readonly keyType: KeyType;
  readonly publicKey: Uint8Array;
  readonly #settings: TokenSignerSettings;
  #open: OpenKey | undefined;
  #disposed = false;
  /** Settles when the signature before is done: a session holds one operation at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws EncodingError when the key is none that the service takes */
  constructor(open: OpenKey, settings: TokenSignerSettings) {
    this.#open = open;
    this.#settings = settings;
    this.publicKey = settings.publicKey;
    this.keyType = describePublicKey(settings.publicKey).keyType;
  }

  /** @throws RolesAnywhereError SIGNING_FAILED, PKCS11_FAILED, PASSWORD_REQUIRED, PASSWORD_WRONG, PIN_BLOCKED */
  sign(message: Uint8Array, digest: Digest = 'SHA256'): Promise<Uint8Array> {
    const signature = this.#turn.then(() => this.#sign(message, digest));
    this.#turn = signature.catch(() => undefined);
    return signature;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    // Not after the signature that may be under way: a module that hangs must not keep us.
    await this.#close();
    await this.#turn;
  }

  async #sign(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    if (this.#disposed) throw closed();
    const isOpen = this.#open !== undefined;
    try {
      return await this.#signOnce(message, digest);
    } catch (error) {
      // Whatever went wrong, the next signature starts afresh; and this one too, when its token was away meanwhile.
      await this.#close();
      if (isOpen && wasLost(error)) return this.#sign(message, digest);
      throw error;
    }
  }

  async #signOnce(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    this.#open ??= await this.#settings.reopen();
    if (this.#disposed) throw closed();
    const { connection, key } = this.#open;
    const { publicKey, proven } = this.#settings;
    const signature = await connection.request('sign', { key, publicKey, message, digest });
    if (!proven && !isSignature(signature, message, digest, publicKey)) {
      throw new RolesAnywhereError('KEY_CERTIFICATE_MISMATCH', `${key.uri} is not the certificate's key`);
    }
    return signature;
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.connection.close();
  }
}

function closed(): RolesAnywhereError {
  return new RolesAnywhereError('SIGNING_FAILED', 'the key on the token was closed already');
}

/** Whether the signature is this public key's. True where the runtime cannot tell: then the service will. */
function isSignature(
  signature: Uint8Array,
  message: Uint8Array,
  digest: Digest,
  publicKey: Uint8Array,
): boolean {
  let key;
  try {
    key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  } catch {
    return true;
  }
  const hash = key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec' ? digest : null;
  return verify(hash, message, key, signature);
}
