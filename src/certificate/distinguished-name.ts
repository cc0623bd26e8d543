import { DerReader, tags } from '../encoding/der.ts';
import { EncodingError } from '../encoding/encoding-error.ts';
import { attributeNames, decodeString } from './name.ts';

/** `type=value`, type an object identifier, value prepared for comparing: the attributes of one RDN, sorted. */
type RelativeName = readonly string[];

/** A distinguished name as a person wrote it, ready to be compared with those in certificates. */
export interface DistinguishedName {
  matches(der: Uint8Array): boolean;
}

/**
 * Reads a distinguished name in any of the spellings that people copy from tools: RFC 4514 and its forerunners
 * (`CN=x,O=y`, also with quotes and semicolons), OpenSSL's `/C=US/O=y` and `C = US, O = y`, Windows' and Go's.
 *
 * Compared are decoded values, as RFC 5280, section 7.1, says: without regard to case, to spaces at the ends and to
 * how many stand together. The order may be the certificate's or its reverse (RFC 4514 and OpenSSL differ), or Go's,
 * which the old helper asked for.
 *
 * @throws EncodingError that says what cannot be read
 */
export function parseDistinguishedName(text: string): DistinguishedName {
  const names = text.trimStart().startsWith('/') ? parseSlashed(text.trim()) : parseCommaed(text);
  if (names.length === 0) throw new EncodingError('it is empty');
  const wanted = [spell(names), spell(names.toReversed())];
  return {
    matches(der) {
      const actual = decodeName(der);
      return (
        actual !== undefined && [actual, arrangeAsGo(actual)].some((name) => wanted.includes(spell(name)))
      );
    },
  };
}

/** One text for what counts as the same. */
function spell(names: readonly RelativeName[]): string {
  return JSON.stringify(names.map((name) => name.toSorted()));
}

/** RFC 4518 in the large: what is compatible, of another case or blank in another way is the same. */
function attribute(type: string, value: string): string {
  return `${type}=${value.normalize('NFKC').toLowerCase().trim().replace(/\s+/gu, ' ')}`;
}

/** Undefined when the bytes are no Name. */
function decodeName(der: Uint8Array): RelativeName[] | undefined {
  try {
    const names: RelativeName[] = [];
    const sequence = new DerReader(der).sequence();
    while (!sequence.done) {
      const name: string[] = [];
      const set = sequence.enter(tags.set);
      while (!set.done) {
        const pair = set.sequence();
        name.push(attribute(pair.objectIdentifier(), valueText(pair.next().encoded)));
      }
      names.push(name);
    }
    return names;
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    return undefined;
  }
}

/** The text of a value, or the hexadecimal of one that is no text. */
function valueText(encoded: Uint8Array): string {
  const { tag, content } = new DerReader(encoded).next();
  return decodeString(tag, content) ?? `#${Buffer.from(encoded).toString('hex')}`;
}

/** What Go's pkix.Name has a field for, in the order that its String gives them back. */
const goOrder = ['6', '10', '11', '7', '8', '9', '17', '3', '5'].map((arc) => `2.5.4.${arc}`);

/** The last CN and serialNumber alone count there; of the others, all of a type become one RDN. */
const goSingle = ['2.5.4.3', '2.5.4.5'];

/**
 * A name as Go's pkix.Name writes it, in the certificate's direction: attributes that it does not know come first,
 * then those that it knows, by type.
 */
function arrangeAsGo(names: readonly RelativeName[]): RelativeName[] {
  const attributes = names.flat();
  const typeOf = (text: string) => text.slice(0, text.indexOf('='));
  const known = goOrder.map((type) => {
    const values = attributes.filter((text) => typeOf(text) === type);
    return goSingle.includes(type) ? values.slice(-1) : values;
  });
  const unknown = attributes.filter((text) => !goOrder.includes(typeOf(text))).map((text) => [text]);
  return [...unknown, ...known.filter((values) => values.length > 0)];
}

const typePattern = String.raw`(?:oid\.)?(?:\d+(?:\.\d+)+|[a-z][a-z\d-]*)`;

/**
 * X509_NAME_oneline of OpenSSL escapes nothing but what is no printable ASCII: a slash belongs to a value unless a known
 * attribute follows.
 */
function parseSlashed(text: string): RelativeName[] {
  const pattern = new RegExp(String.raw`([/+])\s*(${typePattern})\s*=`, 'gi');
  const starts = [...text.matchAll(pattern)].filter(([, , type = '']) => typeNamed(type) !== undefined);
  if (starts[0]?.index !== 0) throw new EncodingError('its first attribute is unknown');
  const names: RelativeName[] = [];
  for (const [position, [start, sign, type = '']] of starts.entries()) {
    const from = (starts[position]?.index ?? 0) + start.length;
    const value = unescapeHex(text.slice(from, starts[position + 1]?.index), String.raw`\\x`);
    add(names, sign === '+', attribute(typeNamed(type) ?? '', value));
  }
  return names;
}

function add(names: RelativeName[], joined: boolean, value: string): void {
  names.push(joined ? [...(names.pop() ?? []), value] : [value]);
}

/** RFC 4514, section 3, laxly: spaces around the signs, quotes of RFC 1779 with `""` and `\"` in them, semicolons. */
function parseCommaed(text: string): RelativeName[] {
  const pair = new RegExp(
    String.raw`\s*(${typePattern})\s*=\s*("(?:[^"\\]|\\.|"")*"\s*|(?!")(?:[^,;+\\]|\\.)*)([,;+]|$)`,
    'giys',
  );
  const names: RelativeName[] = [];
  let sign = '';
  while (pair.lastIndex < text.length || sign !== '') {
    const offset = pair.lastIndex;
    const [, name, value = '', next = ''] = pair.exec(text) ?? [];
    if (name === undefined) throw new EncodingError(`it cannot be read from character ${offset + 1} on`);
    const type = typeNamed(name);
    if (type === undefined) throw new EncodingError(`the attribute ${name} is unknown`);
    add(names, sign === '+', attribute(type, readValue(value)));
    sign = next;
  }
  return names;
}

/** RFC 4514, section 2.4 */
function readValue(text: string): string {
  if (text.startsWith('#')) return readHexValue(text.slice(1).trimEnd());
  const value = text.startsWith('"') ? text.trimEnd().slice(1, -1).replaceAll('""', '"') : text;
  return unescapeHex(value, String.raw`\\`).replace(/\\(.)/gs, '$1');
}

function readHexValue(hex: string): string {
  try {
    if (/^(?:[\da-f]{2})+$/i.test(hex)) return valueText(Buffer.from(hex, 'hex'));
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
  }
  throw new EncodingError('what follows # is no DER in hexadecimal');
}

/** Bytes in hexadecimal behind a prefix (a regular expression); a run of them is UTF-8 together. */
function unescapeHex(text: string, prefix: string): string {
  return text.replace(new RegExp(`(?:${prefix}[\\da-f]{2})+`, 'gi'), (run) =>
    Buffer.from(run.replace(new RegExp(prefix, 'gi'), ''), 'hex').toString('utf8'),
  );
}

/** Object identifiers by the names of RFC 4514, OpenSSL, Windows, Java and Go, in lower case. */
const attributeTypes = new Map([
  ...Object.entries(attributeNames).map(([type, name]) => [name.toLowerCase(), type] as const),
  ...Object.entries({
    surname: '2.5.4.4',
    s: '2.5.4.8',
    sp: '2.5.4.8',
    t: '2.5.4.12',
    description: '2.5.4.13',
    businesscategory: '2.5.4.15',
    postalcode: '2.5.4.17',
    name: '2.5.4.41',
    g: '2.5.4.42',
    givenname: '2.5.4.42',
    i: '2.5.4.43',
    initials: '2.5.4.43',
    generationqualifier: '2.5.4.44',
    x500uniqueidentifier: '2.5.4.45',
    dnq: '2.5.4.46',
    organizationidentifier: '2.5.4.97',
    userid: '0.9.2342.19200300.100.1.1',
    e: '1.2.840.113549.1.9.1',
    email: '1.2.840.113549.1.9.1',
    unstructuredname: '1.2.840.113549.1.9.2',
    unstructuredaddress: '1.2.840.113549.1.9.8',
    jurisdictionl: '1.3.6.1.4.1.311.60.2.1.1',
    jurisdictionst: '1.3.6.1.4.1.311.60.2.1.2',
    jurisdictionc: '1.3.6.1.4.1.311.60.2.1.3',
  }),
]);

function typeNamed(name: string): string | undefined {
  const bare = name.replace(/^oid\./i, '');
  return /^\d/.test(bare) ? bare : attributeTypes.get(bare.toLowerCase());
}
