import { derBytes, derElement } from './der.ts';
import type { DerPieces } from './der.ts';
import { EncodingError } from './encoding-error.ts';

/** PKCS#12 nests some 10 levels; nothing real comes near. */
const maximumDepth = 32;

/** Each element costs hundreds of bytes while it is rewritten; 700 certificates with their bags have some 10,000. */
const maximumElements = 20_000;

const constructed = 0x20;

/**
 * Rewrites BER (X.690) with definite, minimal lengths and unsplit OCTET STRINGs, so that a DER reader can read it.
 * PKCS#12 is BER by its standard (RFC 7292, section 4), and Windows, Java and macOS write it so.
 *
 * @throws EncodingError when the bytes are not one element from the first byte to the last
 */
export function berToDer(bytes: Uint8Array): Uint8Array {
  const reader = new BerReader(bytes, { elements: maximumElements });
  const element = reader.element(0);
  if (!reader.done) throw new EncodingError('bytes follow where none are expected');
  return derBytes(element);
}

class BerReader {
  readonly #bytes: Uint8Array;
  readonly #left: { elements: number };
  #offset = 0;

  constructor(bytes: Uint8Array, left: { elements: number }) {
    this.#bytes = bytes;
    this.#left = left;
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  element(depth: number): DerPieces {
    if (depth > maximumDepth) throw new EncodingError('it is nested too deeply');
    if (--this.#left.elements < 0) throw new EncodingError('it has too many elements');
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new EncodingError('a tag number above 30 is not supported');
    const length = this.#length();
    if (length === undefined) {
      if ((tag & constructed) === 0) throw new EncodingError('a primitive has no length');
      const children: DerPieces[] = [];
      while (!this.#atEnd()) children.push(this.element(depth + 1));
      this.#offset += 2;
      return join(tag, children);
    }
    const end = this.#offset + length;
    if (end > this.#bytes.length)
      throw new EncodingError(`truncated: ${end - this.#bytes.length} bytes are missing`);
    const content = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    if ((tag & constructed) === 0) return derElement(tag, [content]);
    const inside = new BerReader(content, this.#left);
    const children: DerPieces[] = [];
    while (!inside.done) children.push(inside.element(depth + 1));
    return join(tag, children);
  }

  /** End-of-contents octets: X.690, section 8.1.5. */
  #atEnd(): boolean {
    return this.#bytes[this.#offset] === 0 && this.#bytes[this.#offset + 1] === 0;
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new EncodingError('truncated');
    this.#offset += 1;
    return byte;
  }

  /** Undefined is the indefinite form: X.690, section 8.1.3.6. */
  #length(): number | undefined {
    const first = this.#byte();
    if (first < 0x80) return first;
    if (first === 0x80) return undefined;
    let length = 0;
    for (let count = first & 0x7f; count > 0; count -= 1) {
      length = length * 256 + this.#byte();
      if (length > this.#bytes.length) throw new EncodingError('a length is too large');
    }
    return length;
  }
}

const constructedOctetString = 0x24;

/** A split OCTET STRING becomes one (X.690, section 8.7.3): by now each part is a primitive or a joined one. */
function join(tag: number, children: readonly DerPieces[]): DerPieces {
  if (tag !== constructedOctetString) return derElement(tag, children.flat());
  return derElement(
    0x04,
    children.flatMap(([head, ...content]) => {
      if (head?.[0] !== 0x04) throw new EncodingError('an OCTET STRING is split into something else');
      return content;
    }),
  );
}
