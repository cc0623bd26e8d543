import { EncodingError } from '../../encoding/encoding-error.ts';
import { algorithms, commandCodes, handles, properties, structureTags, tpmProperties } from './constants.ts';
import { join, sized, uint16, uint32, uint8 } from './marshal.ts';
import type { TpmReader } from './marshal.ts';
import { objectName, readPublicArea, writePublicArea } from './public-area.ts';
import type { PublicArea } from './public-area.ts';

/** Something in the TPM that a handle refers to. */
export interface Entity {
  readonly handle: number;
  /** Its Name (Part 1, section 16), which the HMAC of a session covers. */
  readonly name: Uint8Array;
}

/** The Name of a hierarchy is its handle. */
export function hierarchy(handle: number): Entity {
  return { handle, name: uint32(handle) };
}

/** A command of the TPM 2.0 Library, Part 3, ready to be sent, and how to read the answer to it. */
export interface Command<Answer> {
  readonly name: string;
  readonly code: number;
  /** The handle area. */
  readonly entities: readonly Entity[];
  /** Whether the first entity's use must be authorized. */
  readonly isAuthorized: boolean;
  readonly parameters: Uint8Array;
  /** Whether the first parameter is a TPM2B, so that a session can encrypt it (Part 1, section 21). */
  readonly encryptable: { readonly command: boolean; readonly response: boolean };
  readonly returnsHandle: boolean;
  /** Reads the response parameters. */
  read(parameters: TpmReader, handle: number): Answer;
}

export interface LoadedKey extends Entity {
  readonly area: PublicArea;
}

/** TPM2_CreatePrimary (Part 3, section 24.1): the same seed and template give the same key every time. */
export function createPrimary(parent: Entity, template: PublicArea): Command<LoadedKey> {
  const noSensitive = sized(sized(), sized());
  const noOutsideInfo = sized();
  const noPcrs = uint32(0);
  return {
    name: 'TPM2_CreatePrimary',
    code: commandCodes.createPrimary,
    entities: [parent],
    isAuthorized: true,
    parameters: join(noSensitive, sized(writePublicArea(template)), noOutsideInfo, noPcrs),
    encryptable: { command: true, response: true },
    returnsHandle: true,
    read: (parameters, handle) => {
      const area = readPublicArea(parameters.sized());
      parameters.sized(); // creationData
      parameters.sized(); // creationHash
      readTicket(parameters); // creationTicket
      return { handle, area, name: checkedName(area, parameters.sized()) };
    },
  };
}

/**
 * TPM2_Load (Part 3, section 12.2).
 *
 * @param privatePart the content of the TPM2B_PRIVATE
 */
export function load(parent: Entity, privatePart: Uint8Array, area: PublicArea): Command<LoadedKey> {
  return {
    name: 'TPM2_Load',
    code: commandCodes.load,
    entities: [parent],
    isAuthorized: true,
    parameters: join(sized(privatePart), sized(writePublicArea(area))),
    encryptable: { command: true, response: true },
    returnsHandle: true,
    read: (parameters, handle) => ({ handle, area, name: checkedName(area, parameters.sized()) }),
  };
}

/** TPM2_ReadPublic (Part 3, section 12.4). */
export function readPublic(handle: number): Command<LoadedKey> {
  return {
    name: 'TPM2_ReadPublic',
    code: commandCodes.readPublic,
    entities: [{ handle, name: new Uint8Array() }],
    isAuthorized: false,
    parameters: new Uint8Array(),
    encryptable: { command: false, response: true },
    returnsHandle: false,
    read: (parameters) => {
      const area = readPublicArea(parameters.sized());
      const name = checkedName(area, parameters.sized());
      parameters.sized(); // qualifiedName
      return { handle, area, name };
    },
  };
}

/** TPMT_SIG_SCHEME (Part 2, section 11.2.1.5): RSASSA or ECDSA, and the hash algorithm. */
export interface SignatureScheme {
  readonly algorithm: number;
  readonly hash: number;
}

/** TPMT_SIGNATURE (Part 2, section 11.3.4). */
export type Signature =
  | { readonly type: 'rsa'; readonly signature: Uint8Array }
  | { readonly type: 'ecc'; readonly r: Uint8Array; readonly s: Uint8Array };

/** The TPMT_TK_HASHCHECK (Part 2, section 10.6.6) of a digest that the TPM did not compute itself. */
export const noTicket: Uint8Array = join(uint16(structureTags.hashCheck), uint32(handles.null), sized());

/**
 * TPM2_Sign (Part 3, section 20.2).
 *
 * @param ticket a marshalled TPMT_TK_HASHCHECK
 */
export function sign(
  key: Entity,
  digest: Uint8Array,
  scheme: SignatureScheme,
  ticket: Uint8Array,
): Command<Signature> {
  return {
    name: 'TPM2_Sign',
    code: commandCodes.sign,
    entities: [key],
    isAuthorized: true,
    parameters: join(sized(digest), uint16(scheme.algorithm), uint16(scheme.hash), ticket),
    encryptable: { command: true, response: false },
    returnsHandle: false,
    read: (parameters) => {
      const algorithm = parameters.uint16();
      const hash = parameters.uint16();
      if (algorithm !== scheme.algorithm || hash !== scheme.hash) {
        throw new EncodingError('the signature is of another scheme than the one asked for');
      }
      return algorithm === algorithms.rsaSsa
        ? { type: 'rsa', signature: parameters.sized() }
        : { type: 'ecc', r: parameters.sized(), s: parameters.sized() };
    },
  };
}

/**
 * TPM2_Hash (Part 3, section 15.4): with the ticket that a restricted key wants. Takes
 * 1024 bytes at least: TPM2B_MAX_BUFFER (Part 2, section 10.4.8).
 */
export function hash(
  message: Uint8Array,
  algorithm: number,
): Command<{ readonly digest: Uint8Array; readonly ticket: Uint8Array }> {
  return {
    name: 'TPM2_Hash',
    code: commandCodes.hash,
    entities: [],
    isAuthorized: false,
    // The ticket must come from some hierarchy; the owner's is the one that keys for applications live in.
    parameters: join(sized(message), uint16(algorithm), uint32(handles.owner)),
    encryptable: { command: true, response: true },
    returnsHandle: false,
    read: (parameters) => ({ digest: parameters.sized(), ticket: readTicket(parameters) }),
  };
}

/**
 * TPM2_StartAuthSession (Part 3, section 11.1) for an HMAC session over SHA-256.
 *
 * @param salt the key that the salt is encrypted for, and the TPM2B_ENCRYPTED_SECRET's content
 * @param encrypts whether parameters are to be encrypted, by AES-128 in CFB mode
 */
export function startAuthSession(
  nonceCaller: Uint8Array,
  salt: { readonly key: Entity; readonly encrypted: Uint8Array } | undefined,
  encrypts: boolean,
): Command<{ readonly handle: number; readonly nonceTpm: Uint8Array }> {
  const hmacSession = uint8(0x00); // TPM_SE_HMAC (Part 2, section 6.11)
  // TPMT_SYM_DEF (Part 2, section 11.1.6)
  const symmetric = encrypts
    ? join(uint16(algorithms.aes), uint16(128), uint16(algorithms.cfb))
    : uint16(algorithms.null);
  return {
    name: 'TPM2_StartAuthSession',
    code: commandCodes.startAuthSession,
    entities: [salt?.key ?? hierarchy(handles.null), hierarchy(handles.null)],
    isAuthorized: false,
    parameters: join(
      sized(nonceCaller),
      sized(salt?.encrypted ?? new Uint8Array()),
      hmacSession,
      symmetric,
      uint16(algorithms.sha256),
    ),
    encryptable: { command: true, response: true },
    returnsHandle: true,
    read: (parameters, handle) => ({ handle, nonceTpm: parameters.sized() }),
  };
}

/** The number of TPM2_StartAuthSession's parameter that asks for encryption. */
export const symmetricParameter = 4;

/** TPM2_GetCapability (Part 3, section 30.2), asked how many wrong passwords it still takes to lock the TPM. */
export function triesLeft(): Command<number> {
  const { lockoutCounter, maxAuthFail } = properties;
  return {
    name: 'TPM2_GetCapability',
    code: commandCodes.getCapability,
    entities: [],
    isAuthorized: false,
    parameters: join(uint32(tpmProperties), uint32(lockoutCounter), uint32(2)),
    encryptable: { command: false, response: false },
    returnsHandle: false,
    read: (parameters) => {
      parameters.uint8(); // moreData
      parameters.uint32(); // capability
      const values = new Map<number, number>();
      for (let left = parameters.uint32(); left > 0; left -= 1) {
        values.set(parameters.uint32(), parameters.uint32());
      }
      const [counter, maximum] = [values.get(lockoutCounter), values.get(maxAuthFail)];
      if (counter === undefined || maximum === undefined) {
        throw new EncodingError('it does not tell the state of the lock-out');
      }
      return maximum - counter;
    },
  };
}

/** TPM2_FlushContext (Part 3, section 28.4). */
export function flushContext(handle: number): Command<undefined> {
  return {
    name: 'TPM2_FlushContext',
    code: commandCodes.flushContext,
    entities: [],
    isAuthorized: false,
    parameters: uint32(handle),
    encryptable: { command: false, response: false },
    returnsHandle: false,
    read: () => undefined,
  };
}

/** A ticket of any kind (Part 2, section 10.6): tag, hierarchy, digest. */
function readTicket(reader: TpmReader): Uint8Array {
  return join(uint16(reader.uint16()), uint32(reader.uint32()), sized(reader.sized()));
}

function checkedName(area: PublicArea, name: Uint8Array): Uint8Array {
  const computed = objectName(area);
  if (Buffer.compare(computed, name) !== 0) {
    throw new EncodingError('the name of the key is not that of its public area');
  }
  return computed;
}
