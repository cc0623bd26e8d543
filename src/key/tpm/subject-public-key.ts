import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { curves } from './constants.ts';
import type { PublicArea } from './public-area.ts';

/**
 * The public key as node:crypto has it, which checks that a point is on its curve.
 *
 * @throws EncodingError when the numbers are no public key, or of a curve that the service does not take
 */
export function toPublicKey(area: PublicArea): KeyObject {
  return createPublicKey({ key: toJwk(area), format: 'jwk' });
}

function toJwk(area: PublicArea): { readonly kty: string } & Readonly<Record<string, string>> {
  const base64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  if (area.type === 'rsa') {
    const exponent = Buffer.alloc(4);
    exponent.writeUInt32BE(area.exponent === 0 ? 65537 : area.exponent);
    return { kty: 'RSA', n: base64Url(area.modulus), e: base64Url(exponent) };
  }
  const curve = curves[area.curve];
  if (curve === undefined) throw new EncodingError(`curve 0x${area.curve.toString(16)} is not supported`);
  // RFC 7518, section 6.2.1.2: coordinates are as long as the field. A TPM may leave leading zeros out.
  const coordinate = (bytes: Uint8Array): string =>
    base64Url(Buffer.concat([Buffer.alloc(Math.max(curve.bytes - bytes.length, 0)), bytes]));
  return { kty: 'EC', crv: curve.name, x: coordinate(area.x), y: coordinate(area.y) };
}
