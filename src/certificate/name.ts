import { DerReader, tags } from '../encoding/der.ts';
import { EncodingError } from '../encoding/encoding-error.ts';

/** RFC 4514, section 3, and what else is common enough to be known by name (RFC 5280, appendix A.1). */
export const attributeNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.42': 'GN',
  '2.5.4.46': 'dnQualifier',
  '2.5.4.65': 'pseudonym',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** The string types of X.680, section 8.4, that names are written in. */
const stringDecoders: Readonly<Record<number, (content: Uint8Array) => string>> = {
  0x0c: (content) => Buffer.from(content).toString('utf8'), // UTF8String
  0x12: latin1, // NumericString
  0x13: latin1, // PrintableString
  0x14: latin1, // TeletexString, in practice
  0x16: latin1, // IA5String
  0x1e: (content) =>
    Buffer.from(content)
      .subarray(0, content.length & ~1)
      .swap16()
      .toString('utf16le'), // BMPString
};

/** A string's text; undefined for what is no string. */
export function decodeString(tag: number, content: Uint8Array): string | undefined {
  return stringDecoders[tag]?.(content);
}

/**
 * A Name (DER) as a person writes it, by RFC 4514: `CN=db-1,O=Example`, the most specific part first. Control
 * characters come out escaped, so that a certificate cannot write to a terminal.
 *
 * @returns the bytes in hexadecimal behind a `#` when they are no Name
 */
export function formatName(der: Uint8Array): string {
  try {
    const names: string[] = [];
    const sequence = new DerReader(der).sequence();
    while (!sequence.done) names.unshift(formatRelativeName(sequence.enter(tags.set)));
    return names.join(',');
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    return `#${hex(der)}`;
  }
}

/** RFC 4514, sections 2.2 and 2.3: one attribute, seldom several. */
function formatRelativeName(set: DerReader): string {
  const attributes: string[] = [];
  while (!set.done) {
    const attribute = set.sequence();
    const type = attribute.objectIdentifier();
    const { tag, content, encoded } = attribute.next();
    attribute.end();
    const name = attributeNames[type];
    const text = decodeString(tag, content);
    attributes.push(
      name === undefined || text === undefined
        ? `${name ?? type}=#${hex(encoded)}`
        : `${name}=${escapeValue(text)}`,
    );
  }
  return attributes.join('+');
}

/** RFC 4514, section 2.4 */
function escapeValue(value: string): string {
  // Most values are as plain as this, and to compile the expressions below takes longer than all the rest.
  if (/^[A-Za-z0-9][A-Za-z0-9 .:@/=_-]*[A-Za-z0-9]$/.test(value)) return value;
  // By its constructor, for V8 loads its Unicode tables as soon as it meets \p, or i with u, in a file that it parses.
  return value
    .replace(/["+,;<>\\]|^[ #]| $/gu, '\\$&')
    .replace(new RegExp('\\p{C}', 'gu'), (character) =>
      Buffer.from(character).toString('hex').replace(/../g, '\\$&'),
    );
}

function latin1(content: Uint8Array): string {
  return Buffer.from(content).toString('latin1');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
