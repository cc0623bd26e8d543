import { createHash, createHmac } from 'node:crypto';
import { join, uint32 } from './marshal.ts';

// The key derivation functions of the TPM 2.0 Library, Part 1, section 11.4.10, over SHA-256. Labels are ASCII and
// go in with a zero byte behind them.

/**
 * KDFa: the counter mode of NIST SP 800-108 with HMAC (section 11.4.10.2).
 *
 * @param bits how many bits to derive, a multiple of 8
 */
export function kdfA(
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  const fixed = join(Buffer.from(`${label}\0`, 'latin1'), contextU, contextV, uint32(bits));
  return derive(bits, (counter) => createHmac('sha256', key).update(counter).update(fixed).digest());
}

/**
 * KDFe: the one-step derivation of NIST SP 800-56A from an ECDH secret (section 11.4.10.3).
 *
 * @param z the x coordinate of the shared point, as long as the curve's field
 * @param bits how many bits to derive, a multiple of 8
 */
export function kdfE(
  z: Uint8Array,
  label: string,
  partyU: Uint8Array,
  partyV: Uint8Array,
  bits: number,
): Uint8Array {
  const fixed = join(z, Buffer.from(`${label}\0`, 'latin1'), partyU, partyV);
  return derive(bits, (counter) => createHash('sha256').update(counter).update(fixed).digest());
}

function derive(bits: number, block: (counter: Uint8Array) => Uint8Array): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(bits / 256) }, (_, index) => block(uint32(index + 1)));
  return join(...blocks).subarray(0, bits / 8);
}
