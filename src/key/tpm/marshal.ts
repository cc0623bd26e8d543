import { EncodingError } from '../../encoding/encoding-error.ts';

// Everything that a TPM reads and writes is big-endian, without padding; a TPM2B is a 16-bit size and that many
// bytes (TPM 2.0 Library, Part 2, section 10.4; Part 1, section "Structure Markup" tells of marshalling).

export function uint8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function join(...pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces);
}

/** A TPM2B. */
export function sized(...pieces: readonly Uint8Array[]): Uint8Array {
  const content = join(...pieces);
  if (content.length > 0xffff) throw new EncodingError('a TPM structure holds at most 65535 bytes');
  return join(uint16(content.length), content);
}

/** Reads what a TPM wrote. Every method throws EncodingError where bytes are missing or too many. */
export class TpmReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A view, no copy. */
  bytes(length: number): Uint8Array {
    const missing = this.#offset + length - this.#bytes.length;
    if (missing > 0) throw new EncodingError(`truncated: ${missing} bytes are missing`);
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  uint8(): number {
    return this.#unsigned(1);
  }

  uint16(): number {
    return this.#unsigned(2);
  }

  uint32(): number {
    return this.#unsigned(4);
  }

  /** What is in a TPM2B. */
  sized(): Uint8Array {
    return this.bytes(this.uint16());
  }

  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#offset);
  }

  /** Nothing may follow. */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw new EncodingError(`${left} bytes too many`);
  }

  #unsigned(length: number): number {
    return this.bytes(length).reduce((value, byte) => value * 256 + byte, 0);
  }
}
