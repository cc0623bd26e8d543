import { EncodingError } from './encoding-error.ts';

/** Identifier octets (X.690, section 8.1.2) of the types that certificates and keys are made of. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of a constructed, context-specific element: what `[n] EXPLICIT` is written as. */
export function contextTag(number: number): number {
  return 0xa0 | number;
}

export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Identifier, length and content. */
  readonly encoded: Uint8Array;
}

/** Whether the bytes are one SEQUENCE from the first byte to the last, as every key and certificate is. */
export function isDer(bytes: Uint8Array): boolean {
  if (bytes[0] !== tags.sequence) return false;
  try {
    return new DerReader(bytes).next().encoded.length === bytes.length;
  } catch {
    return false;
  }
}

/**
 * Reads DER (X.690) element by element, by the structure that the caller expects: nothing here recurses, so the
 * input cannot choose the depth. Lengths must be definite, minimal and within bounds; views are returned, no copies.
 *
 * Every method throws EncodingError where the bytes are not what it reads.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** The tag of the next element, undefined at the end: how OPTIONAL and CHOICE are told apart. */
  peek(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** The next element, which must have this tag if one is given. */
  next(tag?: number): DerElement {
    const start = this.#offset;
    const actual = this.#byte();
    if (tag !== undefined && actual !== tag) {
      throw new EncodingError(`found tag 0x${hex(actual)} where 0x${hex(tag)} was expected`);
    }
    if ((actual & 0x1f) === 0x1f) throw new EncodingError('a tag number above 30 is not supported');
    const length = this.#length();
    if (length > this.#bytes.length - this.#offset) {
      throw new EncodingError(`truncated: ${length - (this.#bytes.length - this.#offset)} bytes are missing`);
    }
    const content = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return { tag: actual, content, encoded: this.#bytes.subarray(start, this.#offset) };
  }

  /** The inside of the next element. */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /** The inside of the next element if it has this tag: an OPTIONAL. */
  enterOptional(tag: number): DerReader | undefined {
    return this.peek() === tag ? this.enter(tag) : undefined;
  }

  sequence(): DerReader {
    return this.enter(tags.sequence);
  }

  /** TRUE is 0xFF in DER; any other value than 0 is taken for it, since such certificates exist. */
  boolean(): boolean {
    const { content } = this.next(tags.boolean);
    if (content.length !== 1) throw new EncodingError('a BOOLEAN must have one byte');
    return content[0] !== 0;
  }

  integer(): bigint {
    const { content } = this.next(tags.integer);
    const [first, second] = content;
    if (first === undefined) throw new EncodingError('an INTEGER must have at least one byte');
    if (second !== undefined && ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80))) {
      throw new EncodingError('an INTEGER has more bytes than it needs');
    }
    const unsigned = BigInt(`0x${Buffer.from(content).toString('hex')}`);
    return first < 0x80 ? unsigned : unsigned - (1n << BigInt(8 * content.length));
  }

  objectIdentifier(): string {
    const { content } = this.next(tags.objectIdentifier);
    const last = content.at(-1);
    if (last === undefined || last >= 0x80) throw new EncodingError('an OBJECT IDENTIFIER is truncated');
    const arcs: number[] = [];
    let arc = 0;
    for (const byte of content) {
      if (arc === 0 && byte === 0x80)
        throw new EncodingError('an OBJECT IDENTIFIER has more bytes than it needs');
      arc = arc * 128 + (byte & 0x7f);
      if (arc > Number.MAX_SAFE_INTEGER / 128) throw new EncodingError('an OBJECT IDENTIFIER is too large');
      if (byte < 0x80) {
        // The first two arcs share a subidentifier (X.690, section 8.19.4).
        if (arcs.length === 0)
          arcs.push(Math.min(Math.trunc(arc / 40), 2), arc - 40 * Math.min(Math.trunc(arc / 40), 2));
        else arcs.push(arc);
        arc = 0;
      }
    }
    return arcs.join('.');
  }

  octetString(): Uint8Array {
    return this.next(tags.octetString).content;
  }

  /** The bytes of a BIT STRING, and how many bits at the end of the last one do not belong to it. */
  bitString(): { readonly bytes: Uint8Array; readonly unusedBits: number } {
    const { content } = this.next(tags.bitString);
    const unusedBits = content[0];
    if (unusedBits === undefined || unusedBits > 7 || (unusedBits > 0 && content.length === 1)) {
      throw new EncodingError('a BIT STRING has a wrong count of unused bits');
    }
    return { bytes: content.subarray(1), unusedBits };
  }

  /** UTCTime or GeneralizedTime as RFC 5280 wants them (section 4.1.2.5): with seconds, in UTC, without fractions. */
  time(): Date {
    const { tag, content } = this.next();
    if (tag !== tags.utcTime && tag !== tags.generalizedTime) throw new EncodingError('expected a time');
    const text = Buffer.from(content).toString('latin1');
    const digits = /^(\d{2,4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)?.slice(1);
    const yearDigits = tag === tags.utcTime ? 2 : 4;
    if (digits?.[0]?.length !== yearDigits)
      throw new EncodingError('a time is not written as RFC 5280 wants it');
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = digits.map(Number);
    const date = new Date(0);
    date.setUTCFullYear(yearDigits === 4 ? year : year < 50 ? 2000 + year : 1900 + year, month - 1, day);
    date.setUTCHours(hour, minute, second);
    // A 31st of February rolls over instead of failing: compare what came out.
    if (
      date.getUTCMonth() !== month - 1 ||
      date.getUTCDate() !== day ||
      hour > 23 ||
      minute > 59 ||
      second > 59
    ) {
      throw new EncodingError('a time does not exist');
    }
    return date;
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.done) throw new EncodingError(`${this.#bytes.length - this.#offset} bytes too many`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new EncodingError('truncated');
    this.#offset += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    // 0x80 alone is BER's indefinite length; four bytes reach beyond every size that we read.
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new EncodingError('a length is indefinite or too large');
    let length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1))
      throw new EncodingError('a length has more bytes than it needs');
    return length;
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/**
 * Encoded DER as the pieces it is made of, so that nesting copies nothing: a private key then exists once, in what
 * `derBytes` returns, and can be wiped there.
 */
export type DerPieces = readonly Uint8Array[];

/** An element with this tag around the content. */
export function derElement(tag: number, ...content: readonly DerPieces[]): DerPieces {
  const pieces = content.flat();
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return [Uint8Array.from([tag, ...derLength(length)]), ...pieces];
}

export function derSequence(...content: readonly DerPieces[]): DerPieces {
  return derElement(tags.sequence, ...content);
}

export function derOctetString(content: DerPieces): DerPieces {
  return derElement(tags.octetString, content);
}

export function derInteger(value: bigint): DerPieces {
  // Two's complement in the fewest bytes: one bit more than the magnitude needs.
  const magnitude = value < 0n ? -value - 1n : value;
  const length = Math.ceil((magnitude.toString(2).length + (magnitude === 0n ? 0 : 1)) / 8);
  const digits = BigInt.asUintN(8 * length, value)
    .toString(16)
    .padStart(2 * length, '0');
  return derElement(tags.integer, [Buffer.from(digits, 'hex')]);
}

export function derObjectIdentifier(dotted: string): DerPieces {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [40 * first + second, ...rest].flatMap((arc) => {
    const septets = [arc % 128];
    for (let left = Math.trunc(arc / 128); left > 0; left = Math.trunc(left / 128))
      septets.unshift(0x80 | (left % 128));
    return septets;
  });
  return derElement(tags.objectIdentifier, [Uint8Array.from(bytes)]);
}

export function derBytes(pieces: DerPieces): Uint8Array {
  return Buffer.concat(pieces);
}

function derLength(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.trunc(left / 256)) bytes.unshift(left % 256);
  return [0x80 | bytes.length, ...bytes];
}
