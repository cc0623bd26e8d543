import { DerReader, contextTag, isDer, tags } from './der.ts';
import { EncodingError } from './encoding-error.ts';
import { readPem } from './pem.ts';

/** What DER files of keys and certificates are, told by their first elements. */
export type DerKind =
  | 'certificate'
  | 'private key'
  | 'encrypted private key'
  | 'public key'
  | 'TPM key'
  | 'PKCS#12 file'
  | 'PKCS#7 file';

/** What the type of a TPM key begins with (ASN.1 Specification for TPM 2.0 Key Files, section 3.1). */
const tpmKeyTypes = '2.23.133.10.1.';
const signedData = '1.2.840.113549.1.7.2';

/** Tells what the first element is by its outermost structure; undefined when it is nothing that we know. */
export function derKind(bytes: Uint8Array): DerKind | undefined {
  try {
    const outer = new DerReader(bytes).sequence();
    switch (outer.peek()) {
      case tags.integer: {
        // PFX (RFC 7292, section 4) has version 3; PKCS#1, SEC1 and PKCS#8 keys have 0 or 1.
        const version = outer.integer();
        return version === 3n ? 'PKCS#12 file' : 'private key';
      }
      case tags.objectIdentifier: {
        const type = outer.objectIdentifier();
        if (type.startsWith(tpmKeyTypes)) return 'TPM key';
        return type === signedData ? 'PKCS#7 file' : undefined;
      }
      case tags.sequence: {
        const inner = outer.sequence();
        if (inner.peek() === contextTag(0) || inner.peek() === tags.integer) return 'certificate';
        return outer.peek() === tags.octetString ? 'encrypted private key' : 'public key';
      }
      default:
        return undefined;
    }
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    return undefined;
  }
}

/** Whether there is a key in a file that only a TPM can use. */
export function holdsTpmKey(bytes: Uint8Array): boolean {
  if (isDer(bytes)) return derKind(bytes) === 'TPM key';
  try {
    return readPem(bytes).some(({ label }) => label === 'TSS2 PRIVATE KEY');
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    return false;
  }
}

/** PFX (RFC 7292, section 4), told by its version; BER, as some write it, may leave the length in front of it open. */
export function isPkcs12(bytes: Uint8Array): boolean {
  const lengthOctets = (bytes[1] ?? 0) > 0x80 ? (bytes[1] ?? 0) & 0x7f : 0;
  const version = bytes.subarray(2 + lengthOctets, 5 + lengthOctets);
  return bytes[0] === tags.sequence && Buffer.compare(version, Buffer.of(tags.integer, 1, 3)) === 0;
}

/**
 * What a file of keys and certificates holds, in words, for the message that says what it does not hold.
 *
 * @throws EncodingError when it is broken PEM
 */
export function describeContents(bytes: Uint8Array): string {
  if (isDer(bytes)) {
    const kind = derKind(bytes) ?? 'DER file of another kind';
    return `it is ${kind.startsWith('e') ? 'an' : 'a'} ${kind}`;
  }
  const labels = new Set(readPem(bytes).map(({ label }) => label));
  return labels.size === 0 ? 'it is neither PEM nor DER' : `it is PEM of ${[...labels].join(', ')}`;
}
