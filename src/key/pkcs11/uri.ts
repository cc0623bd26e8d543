import { RolesAnywhereError } from '../../errors.ts';
import { Secret } from '../../secret.ts';

/**
 * A PKCS #11 URI (RFC 7512): less a name than a search term. What it does not say, matches everything.
 */
export interface Pkcs11Uri {
  readonly token?: string;
  readonly manufacturer?: string;
  readonly model?: string;
  readonly serial?: string;
  readonly slotId?: bigint;
  readonly slotDescription?: string;
  readonly slotManufacturer?: string;
  readonly libraryManufacturer?: string;
  readonly libraryDescription?: string;
  readonly libraryVersion?: string;
  /** CKA_ID */
  readonly id?: Uint8Array;
  /** CKA_LABEL: bytes, since not every token keeps to UTF-8. */
  readonly object?: Uint8Array;
  readonly type?: ObjectType;
  readonly modulePath?: string;
  readonly moduleName?: string;
  readonly pinValue?: Secret<string>;
  /** Where the PIN is: a path or a `file:` URI. */
  readonly pinSource?: string;
}

const objectTypes = ['public', 'private', 'cert', 'secret-key', 'data'] as const;
export type ObjectType = (typeof objectTypes)[number];

const scheme = 'pkcs11:';

/** The attributes of text in the path (RFC 7512, section 2.3), by the name of the property that holds them. */
const textAttributes = {
  model: 'model',
  manufacturer: 'manufacturer',
  serial: 'serial',
  token: 'token',
  'slot-description': 'slotDescription',
  'slot-manufacturer': 'slotManufacturer',
  'library-manufacturer': 'libraryManufacturer',
  'library-description': 'libraryDescription',
} as const;

const pathAttributes = [...Object.keys(textAttributes), 'slot-id', 'library-version', 'id', 'object', 'type'];
const queryAttributes = ['module-path', 'module-name', 'pin-value', 'pin-source'];

/** Whether the text is meant as a PKCS #11 URI. URI schemes ignore case (RFC 3986, section 3.1). */
function isPkcs11Uri(text: string): boolean {
  return text.slice(0, scheme.length).toLowerCase() === scheme;
}

/**
 * Reads a URI. Unknown attributes and vendors' `x-` ones are ignored, in the path too: RFC 7512 would rather let
 * them match nothing, but the URIs that other tools print carry them.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT; the message never repeats a value
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (!isPkcs11Uri(text)) throw invalid(`it does not start with ${scheme}`);
  const [path = '', ...queries] = text.slice(scheme.length).split('?');
  const inPath = readAttributes(path, ';', pathAttributes);
  // A further ? is an ordinary character of the query (RFC 3986, section 3.4).
  const inQuery = readAttributes(queries.join('?'), '&', queryAttributes);

  const misplaced = path
    .split(';')
    .map((pair) => pair.split('=')[0])
    .find((name) => name !== undefined && queryAttributes.includes(name));
  if (misplaced !== undefined)
    throw invalid(`${misplaced} belongs behind the "?"`, 'put "?" before it, not ";"');
  if (inQuery.has('pin-value') && inQuery.has('pin-source')) {
    throw invalid('it has both pin-value and pin-source'); // RFC 7512, section 2.4
  }

  const uri: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(textAttributes)) {
    const bytes = inPath.get(name);
    if (bytes !== undefined) uri[property] = toText(name, bytes);
  }
  const slotId = inPath.get('slot-id');
  if (slotId !== undefined) uri['slotId'] = readSlotId(toText('slot-id', slotId));
  const libraryVersion = inPath.get('library-version');
  if (libraryVersion !== undefined) {
    uri['libraryVersion'] = readVersion(toText('library-version', libraryVersion));
  }
  const type = inPath.get('type');
  if (type !== undefined) uri['type'] = readType(toText('type', type));
  if (inPath.has('id')) uri['id'] = inPath.get('id');
  if (inPath.has('object')) uri['object'] = inPath.get('object');

  const query = (name: string): string | undefined => {
    const bytes = inQuery.get(name);
    return bytes && toText(name, bytes);
  };
  const pinValue = query('pin-value');
  return {
    ...uri,
    ...defined('modulePath', query('module-path')),
    ...defined('moduleName', query('module-name')),
    ...defined('pinValue', pinValue === undefined ? undefined : new Secret(pinValue)),
    ...defined('pinSource', query('pin-source')),
  };
}

/**
 * The URI in a stable order: the token first, in the order that p11tool prints, then the object. Without its query:
 * what this gives may be shown.
 */
export function formatPkcs11Uri(uri: Pkcs11Uri): string {
  const attributes: [string, Uint8Array | undefined][] = [
    ...Object.entries(textAttributes).map(([name, property]): [string, Uint8Array | undefined] => [
      name,
      toBytes(uri[property]),
    ]),
    ['library-version', toBytes(uri.libraryVersion)],
    ['slot-id', toBytes(uri.slotId?.toString())],
    ['id', uri.id],
    ['object', uri.object],
    ['type', toBytes(uri.type)],
  ];
  return `${scheme}${attributes
    .filter((attribute): attribute is [string, Uint8Array] => attribute[1] !== undefined)
    .map(([name, value]) => `${name}=${percentEncode(value, name === 'id')}`)
    .join(';')}`;
}

/** The known attributes of one component, decoded. */
function readAttributes(
  component: string,
  delimiter: string,
  known: readonly string[],
): Map<string, Uint8Array> {
  const attributes = new Map<string, Uint8Array>();
  if (component === '') return attributes;
  for (const pair of component.split(delimiter)) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw invalid(`an attribute is not written as name=value`);
    const name = pair.slice(0, equals);
    if (!/^[\w-]+$/.test(name))
      throw invalid('an attribute name has other characters than letters, digits, - and _');
    const isKnown = known.includes(name);
    // What is not known is not named either: it may be a PIN that lost its `pin-value=`.
    const value = percentDecode(isKnown ? name : 'an attribute', pair.slice(equals + 1));
    if (!isKnown) continue;
    if (attributes.has(name)) throw invalid(`it has ${name} twice`); // RFC 7512, sections 2.3 and 2.4
    attributes.set(name, value);
  }
  return attributes;
}

/** RFC 3986, section 2.1. Characters that should have been encoded are taken as they are, but for control characters. */
function percentDecode(name: string, text: string): Uint8Array {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw invalid(`${name} has a % without two hexadecimal digits`);
  // eslint-disable-next-line no-control-regex -- it is control characters that this refuses
  if (/[\u0000-\u001f\u007f]/.test(text)) throw invalid(`${name} has a control character`);
  const parts = text.split(/%([0-9A-Fa-f]{2})/);
  return Buffer.concat(parts.map((part, index) => Buffer.from(part, index % 2 === 0 ? 'utf8' : 'hex')));
}

/** RFC 7512, section 2.3: of the id, every byte should be encoded. */
function percentEncode(bytes: Uint8Array, every: boolean): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return !every && /[A-Za-z0-9._~-]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

function readSlotId(text: string): bigint {
  if (!/^\d{1,20}$/.test(text)) throw invalid('slot-id is not a number');
  return BigInt(text);
}

/** RFC 7512, section 2.3: without a minor version it is 0. */
function readVersion(text: string): string {
  const [, major, minor = '0'] = /^(\d{1,3})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  if (major === undefined) throw invalid('library-version is not written as major.minor');
  return `${Number(major)}.${Number(minor)}`;
}

function readType(text: string): ObjectType {
  const type = objectTypes.find((candidate) => candidate === text);
  if (type === undefined) throw invalid(`type is none of ${objectTypes.join(', ')}`);
  return type;
}

function toText(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(`${name} is not UTF-8`);
  }
}

function toBytes(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'utf8');
}

function defined<T>(name: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [name]: value };
}

function invalid(reason: string, hint?: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'INVALID_ARGUMENT',
    `this is no PKCS#11 URI: ${reason}`,
    hint === undefined ? {} : { hint },
  );
}
