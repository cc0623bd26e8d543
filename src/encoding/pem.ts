import { EncodingError } from './encoding-error.ts';

/** One `-----BEGIN label-----` … `-----END label-----`. */
export interface PemBlock {
  readonly label: string;
  /** RFC 1421 headers such as `Proc-Type: 4,ENCRYPTED`, by their names as written. */
  readonly headers: ReadonlyMap<string, string>;
  /**
   * The bytes that the base64 stands for, decoded anew: what nobody asks for (a key beside a certificate) is never
   * decoded.
   *
   * @throws EncodingError when the base64 is broken
   */
  decode(): Uint8Array;
}

const begin = Buffer.from('-----BEGIN ');
const dashes = Buffer.from('-----');

/**
 * Reads every block in a file, as laxly as RFC 7468 (section 3, `laxtextualmsg`) allows: any line ends or none, text
 * around the blocks, spaces anywhere, a byte-order mark, UTF-16 as PowerShell writes it. Time is linear in the size.
 *
 * @returns no block at all when the bytes hold no BEGIN line
 * @throws EncodingError when a block has no END line of its own
 */
export function readPem(input: Uint8Array): PemBlock[] {
  const bytes = toAscii(input);
  const blocks: PemBlock[] = [];
  let offset = bytes.indexOf(begin);
  while (offset !== -1) {
    const labelStart = offset + begin.length;
    const labelEnd = bytes.indexOf(dashes, labelStart);
    const label =
      labelEnd === -1 ? '' : bytes.toString('latin1', labelStart, Math.min(labelEnd, labelStart + 100));
    if (/^[\x20-\x7e]{1,64}$/.test(label)) {
      const bodyStart = labelEnd + dashes.length;
      const where = `the ${label} block (number ${blocks.length + 1})`;
      const end = Buffer.from(`-----END ${label}-----`);
      const bodyEnd = bytes.indexOf(end, bodyStart);
      const body = bytes.subarray(bodyStart, bodyEnd === -1 ? bytes.length : bodyEnd);
      if (bodyEnd === -1 || body.includes(dashes)) {
        throw new EncodingError(`${where} has no END line of its own`);
      }
      blocks.push(readBlock(label, body, where));
      offset = bytes.indexOf(begin, bodyEnd + end.length);
    } else {
      offset = bytes.indexOf(begin, labelStart);
    }
  }
  return blocks;
}

export function encodePem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function readBlock(label: string, body: Buffer, where: string): PemBlock {
  // Base64 has no colon: only a block that has one can have headers. They end with the first line that is none
  // (RFC 1421, section 4.4, asks for an empty one).
  const headers = new Map<string, string>();
  let offset = 0;
  if (body.includes(':')) {
    let last: string | undefined;
    for (let end = body.indexOf('\n'); end !== -1; end = body.indexOf('\n', offset)) {
      const line = body.toString('latin1', offset, end).trimEnd();
      const [, name, value = ''] = /^\s*([A-Za-z][\w-]*):(.*)$/.exec(line) ?? [];
      if (name !== undefined) {
        last = name;
        headers.set(name, value.trim());
      } else if (last !== undefined && /^\s+\S/.test(line)) {
        headers.set(last, (headers.get(last) ?? '') + line.trim());
      } else if (last !== undefined || line !== '') {
        break;
      }
      offset = end + 1;
    }
  }
  const base64 = body.subarray(offset);
  return { label, headers, decode: () => decodeBase64(base64, where) };
}

const digits = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const space = -1;
const invalid = -2;
const digitValues = new Int8Array(256).fill(invalid);
digits.forEach((character, value) => (digitValues[character] = value));
for (const character of Buffer.from(' \t\v\f\r\n')) digitValues[character] = space;

/** Decodes without a string in between, which could not be wiped. White space may stand anywhere (RFC 7468, 3). */
function decodeBase64(text: Uint8Array, where: string): Uint8Array {
  const bytes = Buffer.alloc(Math.ceil((text.length * 3) / 4) + 3);
  let length = 0;
  let count = 0;
  let padding = 0;
  let bits = 0;
  // By index: what an iterator leaves behind, for some thousand characters, costs a collection of young objects.
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? 0;
    const isPadding = character === 0x3d;
    const value = isPadding ? 0 : (digitValues[character] ?? invalid);
    if (value === space) continue;
    if (value === invalid || (padding > 0 && !isPadding)) throw new EncodingError(`${where} is not base64`);
    if (isPadding) padding += 1;
    bits = (bits << 6) | value;
    count += 1;
    if ((count & 3) === 0) {
      bytes[length++] = bits >> 16;
      bytes[length++] = bits >> 8;
      bytes[length++] = bits;
    }
  }
  if ((count & 3) !== 0 || padding > 2) throw new EncodingError(`${where} is not whole base64`);
  return bytes.subarray(0, length - padding);
}

/** The bytes themselves, or those of UTF-16 text (with its byte-order mark) cut to one byte a character. */
function toAscii(input: Uint8Array): Buffer {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (mark !== 0xfffe && mark !== 0xfeff) return bytes;
  // A unit above 0xff is no character of a PEM block: any value that is none either will do.
  const ascii = Buffer.alloc((bytes.length >> 1) - 1);
  for (let index = 0; index < ascii.length; index += 1) {
    const offset = 2 * index + 2;
    const unit = mark === 0xfffe ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset);
    ascii[index] = unit > 0xff ? 0 : unit;
  }
  return ascii;
}
