// Certificates made by hand, byte by byte, so that any rule of RFC 5280 can be broken. Shares nothing with src.
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync, sign } from 'node:crypto';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function ecKey(namedCurve = 'P-256'): KeyPair {
  return generateKeyPairSync('ec', { namedCurve });
}

export function rsaKey(modulusLength = 2048): KeyPair {
  return generateKeyPairSync('rsa', { modulusLength });
}

const concat = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = concat(parts);
  const length =
    body.length < 128
      ? Buffer.of(body.length)
      : ((size) => Buffer.concat([Buffer.of(0x80 | size.length), size]))(
          Buffer.from(
            body.length.toString(16).padStart(body.length > 0xffff ? 6 : body.length > 0xff ? 4 : 2, '0'),
            'hex',
          ),
        );
  return concat([Buffer.of(tag), length, body]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => tlv(0x31, ...parts);
export const octets = (...parts: readonly Uint8Array[]): Buffer => tlv(0x04, ...parts);
const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer => tlv(0xa0 + number, ...parts);
const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(0x03, Buffer.of(unused), bytes);
const text = (value: string): Buffer => tlv(0x0c, Buffer.from(value));

function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return tlv(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : concat([Buffer.of(0), bytes]));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const base128 = (value: number): number[] =>
    value < 128 ? [value] : [...base128(Math.floor(value / 128)).map((byte) => byte | 0x80), value % 128];
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

const attributes = { CN: '2.5.4.3', C: '2.5.4.6', O: '2.5.4.10', OU: '2.5.4.11', E: '1.2.840.113549.1.9.1' };
export type Subject = readonly (readonly [keyof typeof attributes, string])[];

function name(subject: Subject): Buffer {
  return sequence(...subject.map(([type, value]) => set(sequence(oid(attributes[type]), text(value)))));
}

const time = (date: Date): Buffer => tlv(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, '')));

export function extension(type: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(type), ...(critical ? [Buffer.of(0x01, 0x01, 0xff)] : []), octets(value));
}

export function basicConstraints(ca: boolean, pathLength?: number): Buffer {
  const parts: Uint8Array[] = ca ? [Buffer.of(0x01, 0x01, 0xff)] : [];
  if (pathLength !== undefined) {
    parts.push(integer(BigInt(pathLength)));
  }
  return extension('2.5.29.19', sequence(...parts), true);
}

export function keyUsage(
  ...usages: readonly ('digitalSignature' | 'keyEncipherment' | 'keyCertSign' | 'cRLSign')[]
): Buffer {
  const places = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 };
  return extension(
    '2.5.29.15',
    bits(
      Buffer.of(usages.reduce((sum, usage) => sum | places[usage], 0)),
      usages.includes('cRLSign') ? 1 : 2,
    ),
    true,
  );
}

export type GeneralName =
  | readonly ['dns' | 'email' | 'uri' | 'id', string]
  | readonly ['ip', readonly number[]]
  | readonly ['name', Subject];

/** A GeneralName by its context tag (RFC 5280, section 4.2.1.6). */
function generalName(entry: GeneralName): Buffer {
  if (entry[0] === 'name') {
    return tlv(0xa4, name(entry[1]));
  }
  const tags = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87, id: 0x88 };
  return tlv(tags[entry[0]], entry[0] === 'ip' ? Buffer.from(entry[1]) : Buffer.from(entry[1]));
}

export function alternativeNames(...names: readonly GeneralName[]): Buffer {
  return extension('2.5.29.17', sequence(...names.map(generalName)));
}

export function nameConstraints(
  permitted: readonly GeneralName[],
  excluded: readonly GeneralName[] = [],
): Buffer {
  const subtrees = (number: number, names: readonly GeneralName[]): readonly Buffer[] =>
    names.length === 0 ? [] : [explicit(number, ...names.map((entry) => sequence(generalName(entry))))];
  return extension('2.5.29.30', sequence(...subtrees(0, permitted), ...subtrees(1, excluded)), true);
}

export interface Issued {
  readonly der: Buffer;
  readonly subject: Subject;
  readonly serial: bigint;
  readonly keys: KeyPair;
}

export interface Wish {
  readonly subject?: Subject;
  /** The issuer; self-signed without one. */
  readonly by?: { readonly subject: Subject; readonly keys: KeyPair };
  readonly keys?: KeyPair;
  readonly serial?: bigint;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly version?: 1 | 3;
  readonly extensions?: readonly Uint8Array[];
  readonly hash?: 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512';
}

const signatures: Readonly<Record<string, string>> = {
  'rsa md5': '1.2.840.113549.1.1.4',
  'rsa sha1': '1.2.840.113549.1.1.5',
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha384': '1.2.840.113549.1.1.12',
  'rsa sha512': '1.2.840.113549.1.1.13',
  'ec sha1': '1.2.840.10045.4.1',
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha384': '1.2.840.10045.4.3.3',
  'ec sha512': '1.2.840.10045.4.3.4',
};

function signatureAlgorithm({ privateKey }: KeyPair, hash: string): Buffer {
  const type = privateKey.asymmetricKeyType ?? '';
  return sequence(
    oid(signatures[`${type} ${hash}`] ?? ''),
    ...(type === 'rsa' ? [Buffer.of(0x05, 0x00)] : []),
  );
}

/** The moment that all tests play in. */
export const noon = new Date('2026-06-15T12:00:00Z');
const day = 86_400_000;
let lastSerial = 0x7f00_0000_0000_0000_0000_0000_0000_0000_0000_0000n;

/** A certificate, valid around {@link noon}; a leaf's extensions unless told otherwise. */
export function issue(wish: Wish = {}): Issued {
  const subject = wish.subject ?? [['CN', 'leaf.example']];
  const keys = wish.keys ?? ecKey();
  const by = wish.by ?? { subject, keys };
  const serial = wish.serial ?? (lastSerial += 1n);
  const version = wish.version ?? 3;
  const extensions = wish.extensions ?? [basicConstraints(false), keyUsage('digitalSignature')];
  const hash = wish.hash ?? 'sha256';
  const algorithm = signatureAlgorithm(by.keys, hash);
  const body = sequence(
    ...(version === 3 ? [explicit(0, integer(2n))] : []),
    integer(serial),
    algorithm,
    name(by.subject),
    sequence(
      time(wish.notBefore ?? new Date(noon.getTime() - day)),
      time(wish.notAfter ?? new Date(noon.getTime() + day)),
    ),
    name(subject),
    keys.publicKey.export({ format: 'der', type: 'spki' }),
    ...(version === 3 && extensions.length > 0 ? [explicit(3, sequence(...extensions))] : []),
  );
  return {
    der: sequence(body, algorithm, bits(sign(hash, body, by.keys.privateKey))),
    subject,
    serial,
    keys,
  };
}

/** A CA certificate. */
export function issueAuthority(commonName: string, wish: Wish = {}, pathLength?: number): Issued {
  return issue({
    subject: [['CN', commonName]],
    extensions: [basicConstraints(true, pathLength), keyUsage('keyCertSign')],
    ...wish,
  });
}

export interface ListWish {
  readonly revoked?: readonly Issued[];
  readonly thisUpdate?: Date;
  /** Null leaves it out. */
  readonly nextUpdate?: Date | null;
  readonly extensions?: readonly Uint8Array[];
  /** Of each entry. */
  readonly entryExtensions?: readonly Uint8Array[];
  readonly hash?: NonNullable<Wish['hash']>;
  /** In place of the issuer's key. */
  readonly signedWith?: KeyPair;
}

/** A certificate revocation list in DER (RFC 5280, section 5.1), good around {@link noon}. */
export function revocationList(by: Issued, wish: ListWish = {}): Buffer {
  const keys = wish.signedWith ?? by.keys;
  const hash = wish.hash ?? 'sha256';
  const algorithm = signatureAlgorithm(keys, hash);
  const list = (parts: readonly Uint8Array[] = []): readonly Buffer[] =>
    parts.length === 0 ? [] : [sequence(...parts)];
  const entries = (wish.revoked ?? []).map(({ serial }) =>
    sequence(integer(serial), time(noon), ...list(wish.entryExtensions)),
  );
  const nextUpdate = wish.nextUpdate === undefined ? new Date(noon.getTime() + day) : wish.nextUpdate;
  const body = sequence(
    integer(1n),
    algorithm,
    name(by.subject),
    time(wish.thisUpdate ?? new Date(noon.getTime() - day)),
    ...(nextUpdate === null ? [] : [time(nextUpdate)]),
    ...list(entries),
    ...list(wish.extensions).map((extensions) => explicit(0, extensions)),
  );
  return sequence(body, algorithm, bits(sign(hash, body, keys.privateKey)));
}

export function pem({ der }: Pick<Issued, 'der'>, label = 'CERTIFICATE'): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
}
