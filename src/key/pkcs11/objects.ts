import { endianness } from 'node:os';
import { decodeCertificate } from '../../certificate/certificate.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { rsaPublicKey } from '../../encoding/spki.ts';
import * as ck from './constants.ts';
import { CryptokiError } from './cryptoki.ts';
import type { Cryptoki, Handle } from './cryptoki.ts';
import { ecdsaPublicKey, mlDsaPublicKey } from './public-key.ts';

/** An object with what every one of them has: CKA_ID and CKA_LABEL, empty where it has none. */
export interface TokenObject {
  readonly handle: Handle;
  readonly id: Uint8Array;
  readonly label: Uint8Array;
}

/** More than any token holds: a module that never says "no more" must not keep us forever. */
const maximumObjects = 10_000;

/** Results that say of one attribute that it cannot be had (version 2.40, section 5.7, C_GetAttributeValue). */
const unavailable = new Set([
  'CKR_ATTRIBUTE_TYPE_INVALID',
  'CKR_ATTRIBUTE_SENSITIVE',
  'CKR_FUNCTION_FAILED',
  'CKR_GENERAL_ERROR',
]);

/** Reads the objects of one token through one session. */
export class TokenObjects {
  readonly #cryptoki: Cryptoki;
  readonly #session: Handle;

  constructor(cryptoki: Cryptoki, session: Handle) {
    this.#cryptoki = cryptoki;
    this.#session = session;
  }

  /** Every object of a class that this session sees. Which match is decided by us: not every module does it right. */
  list(objectClass: number): readonly TokenObject[] {
    const handles: Handle[] = [];
    this.#cryptoki.C_FindObjectsInit(this.#session, [{ type: ck.CKA_CLASS, value: objectClass }]);
    try {
      for (;;) {
        const more = this.#cryptoki.C_FindObjects(this.#session, 100);
        if (more.length === 0 || handles.length > maximumObjects) break;
        handles.push(...more);
      }
    } finally {
      this.#cryptoki.C_FindObjectsFinal(this.#session);
    }
    return handles.map((handle) => ({
      handle,
      id: this.read(handle, ck.CKA_ID) ?? new Uint8Array(),
      label: this.read(handle, ck.CKA_LABEL) ?? new Uint8Array(),
    }));
  }

  /** An attribute's value; undefined when the object has none, or an empty one. */
  read(handle: Handle, type: number): Uint8Array | undefined {
    try {
      const [attribute] = this.#cryptoki.C_GetAttributeValue(this.#session, handle, [{ type }]);
      return attribute?.value === undefined || attribute.value.length === 0 ? undefined : attribute.value;
    } catch (error) {
      if (error instanceof CryptokiError && unavailable.has(error.result)) return undefined;
      throw error;
    }
  }

  readNumber(handle: Handle, type: number): number | undefined {
    const value = this.read(handle, type);
    return value && Number(readUlong(value));
  }

  /** An X.509 certificate's DER; undefined for other kinds, and for those that are only referred to by a URL. */
  certificate(handle: Handle): Uint8Array | undefined {
    // The attribute must be there, but where it is not, the value tells.
    const type = this.readNumber(handle, ck.CKA_CERTIFICATE_TYPE) ?? ck.CKC_X_509;
    return type === ck.CKC_X_509 ? this.read(handle, ck.CKA_VALUE) : undefined;
  }

  /**
   * The public key that belongs to a private one, or that a public key object holds, as a SubjectPublicKeyInfo.
   * A private EC key does not know its own: then it is that of the public key or certificate with the same id.
   */
  publicKey(object: TokenObject, others: readonly PublicObject[] = []): Uint8Array | undefined {
    return this.#ownPublicKey(object.handle) ?? fromNamesakes(object, others);
  }

  /** The certificates and public keys of the token, as far as they can be read. */
  publicObjects(): readonly PublicObject[] {
    const keys = this.list(ck.CKO_PUBLIC_KEY).map((object) => ({
      ...object,
      publicKey: this.publicKey(object),
    }));
    const certificates = this.list(ck.CKO_CERTIFICATE).map((object) => {
      const der = this.certificate(object.handle);
      return { ...object, publicKey: der && readable(() => decodeCertificate(der).publicKey) };
    });
    return [...keys, ...certificates].filter(
      (object): object is PublicObject => object.publicKey !== undefined,
    );
  }

  #ownPublicKey(handle: Handle): Uint8Array | undefined {
    const read = (type: number): Uint8Array | undefined => this.read(handle, type);
    return readable(() => {
      switch (this.readNumber(handle, ck.CKA_KEY_TYPE)) {
        case ck.CKK_RSA: {
          const [modulus, exponent] = [read(ck.CKA_MODULUS), read(ck.CKA_PUBLIC_EXPONENT)];
          return modulus && exponent && rsaPublicKey(modulus, exponent);
        }
        case ck.CKK_EC: {
          const [parameters, point] = [read(ck.CKA_EC_PARAMS), read(ck.CKA_EC_POINT)];
          return parameters && point && ecdsaPublicKey(parameters, point);
        }
        case ck.CKK_ML_DSA: {
          // On a private key, CKA_VALUE is the private key: never asked for. CKA_PUBLIC_KEY_INFO it may have.
          const info = read(ck.CKA_PUBLIC_KEY_INFO);
          if (info !== undefined) return info;
          if (this.readNumber(handle, ck.CKA_CLASS) !== ck.CKO_PUBLIC_KEY) return undefined;
          const [set, value] = [this.readNumber(handle, ck.CKA_PARAMETER_SET), read(ck.CKA_VALUE)];
          return set === undefined || value === undefined ? undefined : mlDsaPublicKey(set, value);
        }
        default:
          return undefined;
      }
    });
  }
}

export interface PublicObject extends TokenObject {
  readonly publicKey: Uint8Array;
}

/** Those with the same id; of several, those with the same label too; and only when they agree. */
function fromNamesakes({ id, label }: TokenObject, others: readonly PublicObject[]): Uint8Array | undefined {
  const sameId = id.length === 0 ? [] : others.filter((other) => equal(other.id, id));
  const sameLabel = label.length === 0 ? [] : others.filter((other) => equal(other.label, label));
  const both = sameId.filter((other) => sameLabel.includes(other));
  for (const namesakes of [sameId, both, id.length === 0 ? sameLabel : []]) {
    const [first] = namesakes;
    if (first !== undefined && namesakes.every(({ publicKey }) => equal(publicKey, first.publicKey))) {
      return first.publicKey;
    }
  }
  return undefined;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Undefined for what cannot be parsed: an object that we do not understand must not hide the others. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EncodingError) return undefined;
    throw error;
  }
}

/** A CK_ULONG or a handle: as wide as a C `unsigned long`, in the machine's byte order. */
export function readUlong(bytes: Uint8Array): bigint {
  const digits = endianness() === 'LE' ? bytes.toReversed() : bytes;
  return BigInt(`0x0${Buffer.from(digits).toString('hex')}`);
}
