import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/*
 * Certificates made to order, bad ones included, within milliseconds: DER written by hand and signed by node:crypto.
 * It shares no code with src/; test/support/pki.e2e.test.ts holds it against OpenSSL.
 */

export type TestKeyType = 'rsa-2048' | 'P-256' | 'P-384' | 'P-521';

type Hash = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384';

export interface CertificateOptions {
  /** The common name; '' makes an empty subject. */
  readonly name?: string;
  readonly keyType?: TestKeyType;
  /** Instead of a new key: to renew a certificate, or to cross-sign an authority. */
  readonly keys?: KeyPair;
  readonly serial?: bigint;
  /** An hour ago unless told otherwise. */
  readonly notBefore?: Date;
  /** In a day unless told otherwise. */
  readonly notAfter?: Date;
  /** 1 leaves the extensions out. */
  readonly version?: 1 | 3;
  readonly hash?: Hash;
  /** basicConstraints; null leaves the extension out. */
  readonly ca?: boolean | null;
  readonly pathLength?: number;
  /** null leaves the extension out. */
  readonly keyUsage?: readonly KeyUsage[] | null;
  readonly extendedKeyUsage?: readonly ('clientAuth' | 'serverAuth')[];
  /** subjectAltName: DNS names, or addresses as `IP:127.0.0.1`. */
  readonly alternativeNames?: readonly string[];
}

export type KeyUsage = 'digitalSignature' | 'keyEncipherment' | 'keyCertSign' | 'cRLSign';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A certificate with its key: a leaf or an authority. */
export interface Issued {
  readonly certificateDer: Buffer;
  readonly certificatePem: string;
  /** PKCS#8. */
  readonly privateKeyPem: string;
  readonly keys: KeyPair;
  readonly name: string;
  readonly serial: bigint;
}

/** A root, or with `issuer` an intermediate authority. */
export function makeAuthority(options: CertificateOptions & { readonly issuer?: Issued } = {}): Issued {
  return make(options.issuer, {
    name: options.issuer === undefined ? 'Test Root' : 'Test Intermediate',
    ca: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    ...options,
  });
}

/** An end-entity certificate, as IAM Roles Anywhere wants it unless told otherwise. */
export function issue(authority: Issued, options: CertificateOptions = {}): Issued {
  return make(authority, { name: 'test leaf', ca: false, keyUsage: ['digitalSignature'], ...options });
}

export function makeKeys(keyType: TestKeyType = 'P-256'): KeyPair {
  return keyType === 'rsa-2048'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: keyType });
}

function make(issuer: Issued | undefined, options: CertificateOptions): Issued {
  const {
    name = '',
    keys = makeKeys(options.keyType),
    serial = BigInt(`0x00${randomBytes(16).toString('hex')}`) + 1n,
    notBefore = new Date(Date.now() - 3_600_000),
    notAfter = new Date(Date.now() + 86_400_000),
    version = 3,
    hash = 'sha256',
  } = options;
  const signer = issuer?.keys ?? keys;
  const algorithm = signatureAlgorithm(signer.privateKey, hash);
  const body = sequence(
    version === 1 ? [] : element(0xa0, integer(2n)),
    integer(serial),
    algorithm,
    distinguishedName(issuer?.name ?? name),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(name),
    spki(keys.publicKey),
    version === 1 ? [] : element(0xa3, sequence(...extensions(options, keys.publicKey, signer.publicKey))),
  );
  const certificateDer = sequence(body, algorithm, bitString(sign(hash, body, signer.privateKey)));
  return {
    certificateDer,
    certificatePem: toPem('CERTIFICATE', certificateDer),
    privateKeyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    keys,
    name,
    serial,
  };
}

export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

const keyUsageBits: Record<KeyUsage, number> = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyCertSign: 5,
  cRLSign: 6,
};

function extensions(options: CertificateOptions, publicKey: KeyObject, issuerKey: KeyObject): Buffer[] {
  const { ca, pathLength, keyUsage, extendedKeyUsage, alternativeNames } = options;
  const list = [extension('551d0e', false, octetString(keyIdentifier(publicKey)))];
  list.push(extension('551d23', false, sequence(element(0x80, keyIdentifier(issuerKey)))));
  if (ca !== null && ca !== undefined) {
    const length = pathLength === undefined ? [] : integer(BigInt(pathLength));
    list.push(extension('551d13', true, sequence(ca ? element(0x01, [0xff]) : [], length)));
  }
  if (keyUsage !== null && keyUsage !== undefined) {
    const bits = keyUsage.reduce((sum, usage) => sum | (0x80 >> keyUsageBits[usage]), 0);
    const unused = bits === 0 ? 0 : 31 - Math.clz32(bits & -bits);
    list.push(extension('551d0f', true, element(0x03, bits === 0 ? [0] : [unused, bits])));
  }
  if (extendedKeyUsage !== undefined) {
    const usages = extendedKeyUsage.map((usage) =>
      oid(usage === 'serverAuth' ? '2b06010505070301' : '2b06010505070302'),
    );
    list.push(extension('551d25', false, sequence(...usages)));
  }
  if (alternativeNames !== undefined) {
    const names = alternativeNames.map((name) =>
      name.startsWith('IP:')
        ? element(0x87, name.slice(3).split('.').map(Number))
        : element(0x82, Buffer.from(name)),
    );
    list.push(extension('551d11', false, sequence(...names)));
  }
  return list;
}

function signatureAlgorithm(key: KeyObject, hash: Hash): Buffer {
  const rsa = { md5: '04', sha1: '05', sha224: '0e', sha256: '0b', sha384: '0c' };
  const ec = {
    md5: undefined,
    sha1: '2a8648ce3d0401',
    sha224: '2a8648ce3d040301',
    sha256: '2a8648ce3d040302',
    sha384: '2a8648ce3d040303',
  };
  if (key.asymmetricKeyType === 'rsa')
    return sequence(oid(`2a864886f70d0101${rsa[hash]}`), element(0x05, []));
  const algorithm = ec[hash];
  if (algorithm === undefined) throw new Error(`no ECDSA with ${hash}`);
  return sequence(oid(algorithm));
}

function distinguishedName(commonName: string): Buffer {
  if (commonName === '') return sequence();
  return sequence(element(0x31, sequence(oid('550403'), element(0x0c, Buffer.from(commonName)))));
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key)).digest();
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  // RFC 5280, section 4.1.2.5: two digits of the year through 2049.
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(text.slice(2)))
    : element(0x18, Buffer.from(text));
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(identifier), critical ? element(0x01, [0xff]) : [], octetString(value));
}

function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return element(0x02, Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex'));
}

function oid(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'));
}

function octetString(content: Buffer): Buffer {
  return element(0x04, content);
}

function bitString(content: Buffer): Buffer {
  return element(0x03, Buffer.concat([Buffer.of(0), content]));
}

function sequence(...parts: readonly (Buffer | readonly number[])[]): Buffer {
  return element(0x30, Buffer.concat(parts.map((part) => Buffer.from(part))));
}

function element(tag: number, content: Buffer | readonly number[]): Buffer {
  const body = Buffer.from(content);
  const { length } = body;
  const header = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...header]), body]);
}
