import { createHash, pbkdf2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { EncodingError, UnsupportedEncodingError } from './encoding-error.ts';

/** 128 MiB: OWASP's strongest advice, and what leaves a small machine standing. */
const maximumMemory = 128 * 1024 * 1024;

/**
 * How much work one attempt to open a file may take, in iterations of PBKDF2 with SHA-256: below 2 seconds on a core
 * of 2020, and 4 on one half as fast. Files name their own costs; real ones ask for 2,048 (OpenSSL, AWS Certificate
 * Manager), 10,000 (Java) or, by OWASP's advice, 600,000: this holds those for each part of a PKCS#12 file.
 */
export class WorkLimit {
  #left = 5_000_000;

  /** @throws UnsupportedEncodingError when that is too much */
  spend(work: number, description: string): void {
    this.#left -= work;
    if (!(this.#left >= 0)) throw new UnsupportedEncodingError(`${description}, more than a file may cost`);
  }
}

/** The hashes' output and block lengths, in bytes. */
const hashes: Readonly<Record<string, readonly [output: number, block: number]>> = {
  md5: [16, 64],
  sha1: [20, 64],
  sha224: [28, 64],
  sha256: [32, 64],
  sha384: [48, 128],
  sha512: [64, 128],
  'sha512-224': [28, 128],
  'sha512-256': [32, 128],
};

export function hashLength(hash: string): number {
  return (hashes[hash] ?? [0])[0];
}

/** What every function below but scrypt starts from. */
interface Costs {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** As OpenSSL calls it: one of the table. */
  readonly hash: string;
}

/** RFC 8018, section 5.2. Off the main thread, as scrypt is: a server goes on answering meanwhile. */
export async function derivePbkdf2(
  password: Uint8Array,
  { salt, iterations, hash }: Costs,
  length: number,
  work: WorkLimit,
): Promise<Uint8Array> {
  const [output, block] = hashes[hash] ?? [1, 64];
  // Those of 64-bit words take twice as long.
  work.spend(iterations * Math.ceil(length / output) * (block / 64), `${iterations} iterations of PBKDF2`);
  try {
    return await promisify(pbkdf2)(password, salt, iterations, length, hash);
  } catch {
    throw new UnsupportedEncodingError(`PBKDF2 with ${hash.toUpperCase()}, which this runtime lacks`);
  }
}

/** RFC 7914, section 6. Node's own limit is 32 MiB, which files in the field exceed. */
export async function deriveScrypt(
  password: Uint8Array,
  parameters: { readonly salt: Uint8Array; readonly N: number; readonly r: number; readonly p: number },
  length: number,
  work: WorkLimit,
): Promise<Uint8Array> {
  const { salt, N, r, p } = parameters;
  if (N < 2 || !Number.isInteger(Math.log2(N))) throw new EncodingError("scrypt's N is no power of 2");
  const memory = 128 * r * (N + p + 2);
  if (memory > maximumMemory + 128 * 1024) {
    throw new UnsupportedEncodingError(
      `scrypt with ${Math.ceil(memory / 1024 / 1024)} MiB of memory, more than 128`,
    );
  }
  work.spend(N * r * p, `scrypt of N ${N}, r ${r} and p ${p}`);
  const derive = promisify<Uint8Array, Uint8Array, number, object, Uint8Array>(scrypt);
  try {
    return await derive(password, salt, length, { N, r, p, maxmem: 2 * maximumMemory });
  } catch {
    throw new EncodingError("scrypt's parameters do not fit each other"); // RFC 7914, section 6: N < 2^(128 * r / 8)
  }
}

/** PBKDF1 (RFC 8018, section 5.1); with the MD5 and the single iteration of old PEM, part of EVP_BytesToKey. */
export function derivePbkdf1(
  password: Uint8Array,
  { salt, iterations, hash }: Costs,
  work: WorkLimit,
): Uint8Array {
  work.spend(iterations * hashingCost, `${iterations} iterations of PBKDF1`);
  return rehash(hash, iterations, password, salt);
}

/**
 * EVP_BytesToKey as PEM_do_header of OpenSSL calls it: MD5 of the hash before, the password and the salt, until there
 * is enough.
 */
export function deriveBytesToKey(password: Uint8Array, salt: Uint8Array, length: number): Uint8Array {
  const key = new Uint8Array(length);
  let last = new Uint8Array(0);
  for (let offset = 0; offset < length; offset += last.length) {
    const next = rehash('md5', 1, last, password, salt);
    last.fill(0);
    last = next;
    key.set(last.subarray(0, length - offset), offset);
  }
  last.fill(0);
  return key;
}

/** What the derived bytes are for: RFC 7292, appendix B.3. */
export const purposes = { key: 1, iv: 2, mac: 3 } as const;

/**
 * RFC 7292, appendix B.2. The notation is the standard's: D, S, P, I, A, B, and v, the hash's block length.
 *
 * @param password in UTF-8, as everywhere else; undefined is no password, which differs from an empty one
 */
export function derivePkcs12(
  password: Uint8Array | undefined,
  costs: Costs,
  purpose: number,
  length: number,
  work: WorkLimit,
): Uint8Array {
  spendPkcs12(costs, [length], work);
  return generate(password, costs, purpose, length);
}

/** RFC 7292, appendix C: both, or neither where both cost too much. */
export function derivePkcs12KeyAndIv(
  password: Uint8Array | undefined,
  costs: Costs,
  keyLength: number,
  ivLength: number,
  work: WorkLimit,
): { readonly key: Uint8Array; readonly iv: Uint8Array } {
  spendPkcs12(costs, [keyLength, ivLength], work);
  return {
    key: generate(password, costs, purposes.key, keyLength),
    iv: generate(password, costs, purposes.iv, ivLength),
  };
}

/** Before the first round, so that what is refused has cost nothing. */
function spendPkcs12({ iterations, hash }: Costs, lengths: readonly number[], work: WorkLimit): void {
  const blocks = lengths.reduce((sum, length) => sum + Math.ceil(length / hashLength(hash)), 0);
  work.spend(blocks * iterations * hashingCost, `${iterations} iterations of PKCS#12's key derivation`);
}

function generate(
  password: Uint8Array | undefined,
  { salt, iterations, hash }: Costs,
  purpose: number,
  length: number,
): Uint8Array {
  const [, v] = hashes[hash] ?? [0, 64];
  const D = new Uint8Array(v).fill(purpose);
  const P = password === undefined ? new Uint8Array(0) : toBmpString(password);
  const I = Buffer.concat([repeat(salt, v), repeat(P, v)]);
  P.fill(0);
  const key = new Uint8Array(length);
  for (let offset = 0; ;) {
    const A = rehash(hash, iterations, D, I);
    key.set(A.subarray(0, length - offset), offset);
    offset += A.length;
    if (offset >= length) {
      I.fill(0);
      return key;
    }
    const B = repeat(A, v);
    for (let start = 0; start < I.length; start += v) addOneAnd(B, I.subarray(start, start + v));
  }
}

/** A hash of ours, called from JavaScript, takes as long as this many iterations inside OpenSSL. */
const hashingCost = 4;

function rehash(hash: string, iterations: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (iterations < 1) throw new EncodingError('an iteration count is not positive');
  let digest: Uint8Array<ArrayBuffer> | undefined;
  try {
    const first = createHash(hash);
    for (const part of parts) first.update(part);
    digest = Uint8Array.from(first.digest());
    for (let count = 1; count < iterations; count += 1) digest = createHash(hash).update(digest).digest();
  } catch {
    // Only a runtime in FIPS mode lacks one of these.
    throw new UnsupportedEncodingError(`${hash.toUpperCase()}, which this runtime lacks`);
  }
  return digest;
}

/** I_j = (I_j + B + 1) mod 2^v, of big-endian numbers */
function addOneAnd(B: Uint8Array, I: Uint8Array): void {
  let carry = 1;
  for (let index = I.length - 1; index >= 0; index -= 1) {
    carry += (I[index] ?? 0) + (B[index] ?? 0);
    I[index] = carry;
    carry >>= 8;
  }
}

/** As often as it takes to fill whole blocks; none for nothing. */
function repeat(bytes: Uint8Array, block: number): Uint8Array {
  const length = Math.ceil(bytes.length / block) * block;
  return Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length] ?? 0);
}

/**
 * UTF-16, big-endian, with two zero bytes behind: RFC 7292, appendix B.1. Bytes that are no UTF-8 are taken for
 * Latin-1, as OpenSSL does.
 */
function toBmpString(password: Uint8Array): Uint8Array {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(password);
  } catch {
    text = Buffer.from(password).toString('latin1');
  }
  return Buffer.from(`${text}\0`, 'utf16le').swap16();
}
