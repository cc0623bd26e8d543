// Numbers of the TPM 2.0 Library specification, Part 2 (Structures), as far as signing needs them.

/** TPM_ALG_ID (Part 2, section 6.3). */
export const algorithms = {
  rsa: 0x0001,
  aes: 0x0006,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  rsaSsa: 0x0014,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

/** Names for messages: every algorithm that a key's type, scheme or hash may be. */
const algorithmNames: Readonly<Record<number, string>> = {
  0x0001: 'RSA',
  0x0004: 'SHA-1',
  0x0008: 'KEYEDHASH',
  0x000b: 'SHA-256',
  0x000c: 'SHA-384',
  0x000d: 'SHA-512',
  0x0012: 'SM3-256',
  0x0014: 'RSASSA',
  0x0015: 'RSAES',
  0x0016: 'RSAPSS',
  0x0017: 'OAEP',
  0x0018: 'ECDSA',
  0x0019: 'ECDH',
  0x001a: 'ECDAA',
  0x001b: 'SM2',
  0x001c: 'ECSCHNORR',
  0x0023: 'ECC',
  0x0025: 'SYMCIPHER',
  0x0027: 'SHA3-256',
  0x0028: 'SHA3-384',
  0x0029: 'SHA3-512',
};

export function algorithmName(algorithm: number): string {
  return algorithmNames[algorithm] ?? `algorithm 0x${algorithm.toString(16).padStart(4, '0')}`;
}

/** The hash algorithms that we know: their name in node:crypto and their size in bytes. */
export const hashes: Readonly<Record<number, { readonly name: string; readonly size: number }>> = {
  0x0004: { name: 'sha1', size: 20 },
  [algorithms.sha256]: { name: 'sha256', size: 32 },
  [algorithms.sha384]: { name: 'sha384', size: 48 },
  [algorithms.sha512]: { name: 'sha512', size: 64 },
};

/** TPM_ECC_CURVE (Part 2, section 6.4): the curves that the service takes. */
export const curves: Readonly<Record<number, { readonly name: string; readonly bytes: number }>> = {
  0x0003: { name: 'P-256', bytes: 32 },
  0x0004: { name: 'P-384', bytes: 48 },
  0x0005: { name: 'P-521', bytes: 66 },
};
export const nistP256 = 0x0003;

/** TPM_ST (Part 2, section 6.9). */
export const structureTags = { noSessions: 0x8001, sessions: 0x8002, hashCheck: 0x8024 } as const;

/** TPM_CC (Part 2, section 6.5.2). */
export const commandCodes = {
  createPrimary: 0x0131,
  load: 0x0157,
  sign: 0x015d,
  flushContext: 0x0165,
  readPublic: 0x0173,
  startAuthSession: 0x0176,
  getCapability: 0x017a,
  getTestResult: 0x017c,
  hash: 0x017d,
} as const;

/** TPM_RH (Part 2, section 7.4): the hierarchies, and the password "session". */
export const handles = {
  owner: 0x40000001,
  null: 0x40000007,
  password: 0x40000009,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
} as const;

/** What a key file may name as its parent, beside a persistent handle. */
export const hierarchyNames: Readonly<Record<number, string>> = {
  [handles.owner]: 'owner',
  [handles.null]: 'null',
  [handles.endorsement]: 'endorsement',
  [handles.platform]: 'platform',
};

/** The most significant byte of a handle is its type (TPM_HT, Part 2, section 7.2). */
export const handleTypes = { permanent: 0x40, transient: 0x80, persistent: 0x81 } as const;

export function handleType(handle: number): number {
  return handle >>> 24;
}

export function formatHandle(handle: number): string {
  return `0x${handle.toString(16).padStart(8, '0')}`;
}

/** TPMA_OBJECT (Part 2, section 8.3). */
export const objectAttributes = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  noDictionaryAttackProtection: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

/** TPM_CAP (Part 2, section 6.12). */
export const tpmProperties = 0x00000006;

/** TPM_PT (Part 2, section 6.13): how many wrong passwords the TPM counts, and at how many it locks itself. */
export const properties = { lockoutCounter: 0x020e, maxAuthFail: 0x020f } as const;

/** TPMA_SESSION (Part 2, section 8.4). */
export const sessionAttributes = { continueSession: 1 << 0, decrypt: 1 << 5, encrypt: 1 << 6 } as const;
