import { createHash } from 'node:crypto';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { algorithmName, algorithms, hashes, nistP256, objectAttributes } from './constants.ts';
import { join, sized, TpmReader, uint16, uint32 } from './marshal.ts';

/** TPMT_SYM_DEF_OBJECT (Part 2, section 11.1.7): what a storage key protects its children with. */
export interface SymmetricDefinition {
  readonly algorithm: number;
  readonly keyBits: number;
  readonly mode: number;
}

/** TPMT_RSA_SCHEME, TPMT_ECC_SCHEME, TPMT_KDF_SCHEME (Part 2, sections 11.2.4.2, 11.2.5.6, 11.2.3.3). */
export interface Scheme {
  readonly algorithm: number;
  /** Absent for RSAES alone. */
  readonly hash?: number;
  /** The counter that ECDAA alone has. */
  readonly count?: number;
}

interface Common {
  /** TPMI_ALG_HASH: what the object's Name is computed with. */
  readonly nameAlgorithm: number;
  /** TPMA_OBJECT. */
  readonly attributes: number;
  /** The digest of the policy that may authorize the key's use; empty when there is none. */
  readonly authPolicy: Uint8Array;
  readonly symmetric: SymmetricDefinition | undefined;
  /** What every signature of this key must use; undefined: the caller may choose. */
  readonly scheme: Scheme | undefined;
}

/** TPMS_RSA_PARMS (Part 2, section 12.2.3.5) with TPM2B_PUBLIC_KEY_RSA. */
export interface RsaPublicArea extends Common {
  readonly type: 'rsa';
  readonly keyBits: number;
  /** 0 stands for 65537. */
  readonly exponent: number;
  readonly modulus: Uint8Array;
}

/** TPMS_ECC_PARMS (Part 2, section 12.2.3.6) with TPMS_ECC_POINT. */
export interface EccPublicArea extends Common {
  readonly type: 'ecc';
  /** TPM_ECC_CURVE. */
  readonly curve: number;
  readonly kdf: Scheme | undefined;
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

/** TPMT_PUBLIC (Part 2, section 12.2.4) of an asymmetric key. */
export type PublicArea = RsaPublicArea | EccPublicArea;

/** The type of an object that is not an asymmetric key. */
export class UnsupportedObject extends Error {
  override readonly name = 'UnsupportedObject';

  constructor(type: number) {
    super(`the object in the TPM is of type ${algorithmName(type)}, which cannot sign`);
  }
}

/**
 * @throws EncodingError when the bytes are not a TPMT_PUBLIC
 * @throws UnsupportedObject when it is one of another kind of object
 */
export function readPublicArea(encoded: Uint8Array): PublicArea {
  const reader = new TpmReader(encoded);
  const type = reader.uint16();
  if (type !== algorithms.rsa && type !== algorithms.ecc) throw new UnsupportedObject(type);
  const common = {
    nameAlgorithm: reader.uint16(),
    attributes: reader.uint32(),
    authPolicy: reader.sized(),
    symmetric: readSymmetric(reader),
    scheme: readScheme(reader),
  };
  const area: PublicArea =
    type === algorithms.rsa
      ? {
          type: 'rsa',
          ...common,
          keyBits: reader.uint16(),
          exponent: reader.uint32(),
          modulus: reader.sized(),
        }
      : {
          type: 'ecc',
          ...common,
          curve: reader.uint16(),
          kdf: readScheme(reader),
          x: reader.sized(),
          y: reader.sized(),
        };
  reader.end();
  return area;
}

export function writePublicArea(area: PublicArea): Uint8Array {
  return join(
    uint16(algorithms[area.type]),
    uint16(area.nameAlgorithm),
    uint32(area.attributes),
    sized(area.authPolicy),
    writeSymmetric(area.symmetric),
    writeScheme(area.scheme),
    ...(area.type === 'rsa'
      ? [uint16(area.keyBits), uint32(area.exponent), sized(area.modulus)]
      : [uint16(area.curve), writeScheme(area.kdf), sized(area.x), sized(area.y)]),
  );
}

/** The Name of an object (Part 1, section 16): what a session's HMAC knows it by. */
export function objectName(area: PublicArea): Uint8Array {
  const hash = hashes[area.nameAlgorithm];
  if (hash === undefined)
    throw new EncodingError(`${algorithmName(area.nameAlgorithm)} is not supported for names`);
  return join(uint16(area.nameAlgorithm), createHash(hash.name).update(writePublicArea(area)).digest());
}

const { fixedTpm, fixedParent, sensitiveDataOrigin, userWithAuth, noDictionaryAttackProtection } =
  objectAttributes;

const storage = {
  nameAlgorithm: algorithms.sha256,
  attributes:
    fixedTpm |
    fixedParent |
    sensitiveDataOrigin |
    userWithAuth |
    noDictionaryAttackProtection |
    objectAttributes.restricted |
    objectAttributes.decrypt,
  authPolicy: new Uint8Array(),
  symmetric: { algorithm: algorithms.aes, keyBits: 128, mode: algorithms.cfb },
  scheme: undefined,
} satisfies Common;

/**
 * The storage keys that a key file's parent is derived from when it names a hierarchy (ASN.1 Specification for
 * TPM 2.0 Key Files, section 3.1.8): TCG EK Credential Profile, template H-2 (section B.4.5), or H-1 (B.4.4) for
 * `rsaParent`, with empty unique fields. A single bit of difference makes another key.
 */
export const storageTemplates = {
  ecc: {
    type: 'ecc',
    ...storage,
    curve: nistP256,
    kdf: undefined,
    x: new Uint8Array(),
    y: new Uint8Array(),
  },
  rsa: { type: 'rsa', ...storage, keyBits: 2048, exponent: 0, modulus: new Uint8Array() },
} as const satisfies Record<string, PublicArea>;

function readSymmetric(reader: TpmReader): SymmetricDefinition | undefined {
  const algorithm = reader.uint16();
  if (algorithm === algorithms.null) return undefined;
  return { algorithm, keyBits: reader.uint16(), mode: reader.uint16() };
}

function writeSymmetric(symmetric: SymmetricDefinition | undefined): Uint8Array {
  if (symmetric === undefined) return uint16(algorithms.null);
  return join(uint16(symmetric.algorithm), uint16(symmetric.keyBits), uint16(symmetric.mode));
}

const rsaEs = 0x0015;
const ecDaa = 0x001a;

function readScheme(reader: TpmReader): Scheme | undefined {
  const algorithm = reader.uint16();
  if (algorithm === algorithms.null) return undefined;
  if (algorithm === rsaEs) return { algorithm };
  const hash = reader.uint16();
  return algorithm === ecDaa ? { algorithm, hash, count: reader.uint16() } : { algorithm, hash };
}

function writeScheme(scheme: Scheme | undefined): Uint8Array {
  if (scheme === undefined) return uint16(algorithms.null);
  const details = [scheme.hash, scheme.count].filter((value) => value !== undefined);
  return join(uint16(scheme.algorithm), ...details.map(uint16));
}
