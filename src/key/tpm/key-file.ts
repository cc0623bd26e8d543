import { DerReader, contextTag, isDer, tags } from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { readPem } from '../../encoding/pem.ts';
import { RolesAnywhereError } from '../../errors.ts';
import { formatHandle, handles, handleType, handleTypes, hierarchyNames } from './constants.ts';
import { TpmReader } from './marshal.ts';
import { readPublicArea, UnsupportedObject } from './public-area.ts';
import type { PublicArea } from './public-area.ts';

/** A loadable key: wrapped by its parent, so that only the TPM that made it can use it. */
export interface TpmKeyFile {
  readonly area: PublicArea;
  /** The content of the TPM2B_PRIVATE. */
  readonly privatePart: Uint8Array;
  /** A persistent handle, or that of the hierarchy that the parent is derived from. */
  readonly parent: number;
  /** Whether a derived parent is an RSA key; otherwise it is on P-256. */
  readonly hasRsaParent: boolean;
  /** Whether the key has the empty password. */
  readonly hasEmptyAuth: boolean;
}

const loadable = '2.23.133.10.1.3';
const otherTypes: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  '2.23.133.10.1.4': [
    'an importable TPM key',
    'import it into the TPM (tpm2_import) and save it as a loadable key, or make it persistent (tpm2_evictcontrol)',
  ],
  '2.23.133.10.1.5': ['sealed data of a TPM, not a key', 'use the file that holds the key'],
};

/**
 * Reads a file with one `TSS2 PRIVATE KEY`, PEM or DER (ASN.1 Specification for TPM 2.0 Key Files, draft-bottomley-tpm2-keys,
 * section 3.1): a TPMKey.
 *
 * @param source what messages call it
 * @throws RolesAnywhereError KEY_INVALID, or KEY_UNSUPPORTED by name
 */
export function readTpmKeyFile(bytes: Uint8Array, source: string): TpmKeyFile {
  try {
    return readTpmKey(new DerReader(isDer(bytes) ? bytes : decodePem(bytes)), source);
  } catch (error) {
    if (error instanceof UnsupportedObject) throw unsupported(source, error.message);
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError('KEY_INVALID', `cannot parse TPM key ${source}: ${error.message}`);
  }
}

function decodePem(bytes: Uint8Array): Uint8Array {
  const [key, ...others] = readPem(bytes).filter(({ label }) => label.endsWith('PRIVATE KEY'));
  if (key?.label !== 'TSS2 PRIVATE KEY') throw new EncodingError('it holds no TPM key');
  if (others.length > 0) throw new EncodingError(`it holds ${others.length + 1} private keys`);
  return key.decode();
}

function readTpmKey(outer: DerReader, source: string): TpmKeyFile {
  const key = outer.sequence();
  outer.end();
  const type = key.objectIdentifier();
  if (type !== loadable) {
    const [what, hint] = otherTypes[type] ?? [`a TPM object of the unknown type ${type}`, undefined];
    throw unsupported(source, `it is ${what}`, hint);
  }
  let hasEmptyAuth = false;
  let hasRsaParent = false;
  // Later drafts may add elements: what we do not know does not change how a loadable key is loaded.
  while (key.peek() !== undefined && key.peek() !== tags.integer) {
    const { tag, content } = key.next();
    switch (tag) {
      case contextTag(0):
        // DER's TRUE is FF, but tpm2-openssl before 1.2 writes 01: the reader takes both.
        hasEmptyAuth = readBoolean(content);
        break;
      case contextTag(1):
      case contextTag(3):
        throw policyBound(source);
      case contextTag(2):
        throw new EncodingError('a loadable key must have no secret');
      case contextTag(5):
        hasRsaParent = readBoolean(content);
        break;
    }
  }
  const parent = readParent(key.integer());
  const area = readPublicArea(readSized(key.octetString()));
  const privatePart = readSized(key.octetString());
  key.end();
  return { area, privatePart, parent, hasRsaParent, hasEmptyAuth };
}

/** What the policy asks for (PCR values, a signature, …) would have to be met at every signing. */
export function policyBound(source: string): RolesAnywhereError {
  return unsupported(
    source,
    'its use is bound to a policy',
    'create a key that a password or nothing protects',
  );
}

export function unsupported(source: string, why: string, hint?: string): RolesAnywhereError {
  const message = `the TPM key ${source} cannot be used: ${why}`;
  return new RolesAnywhereError('KEY_UNSUPPORTED', message, hint === undefined ? {} : { hint });
}

function readBoolean(content: Uint8Array): boolean {
  const reader = new DerReader(content);
  const value = reader.boolean();
  reader.end();
  return value;
}

/** Some programs write the handle as a negative number, since its highest bit is set; 0 means the owner. */
function readParent(value: bigint): number {
  if (value < -0x80000000n || value > 0xffffffffn) throw new EncodingError('the parent is no handle');
  const handle = Number(BigInt.asUintN(32, value));
  if (handle === 0) return handles.owner;
  if (handleType(handle) === handleTypes.persistent || handle in hierarchyNames) return handle;
  throw new EncodingError(`the parent ${formatHandle(handle)} is neither persistent nor a hierarchy`);
}

/** The whole must be one TPM2B. */
function readSized(bytes: Uint8Array): Uint8Array {
  const reader = new TpmReader(bytes);
  const content = reader.sized();
  reader.end();
  return content;
}
