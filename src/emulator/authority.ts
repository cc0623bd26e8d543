import type { webcrypto as WebCrypto } from 'node:crypto';
import { createPublicKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RolesAnywhereError } from '../errors.ts';
import { errnoOf } from '../runtime/errno.ts';
import type { EmulatorCertificate } from './certificate.ts';
import { readPemCertificates } from './certificate.ts';
import { unreadable, unwritable } from './files.ts';
import type { X509 } from './x509.ts';

/** A throw-away authority with one leaf, all PEM; the authority's key is gone. */
interface Authority {
  readonly caPem: string;
  readonly leafPem: string;
  readonly leafKeyPem: string;
}

const authorityName = 'CN=Roles Anywhere emulator throw-away authority';
const dayMilliseconds = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Makes an authority and an EC P-256 leaf, valid from a day ago (clocks differ) for a week to come. */
export async function makeAuthority(x509: X509, now: Date): Promise<Authority> {
  const generate = (): Promise<WebCrypto.CryptoKeyPair> =>
    webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const [authorityKeys, leafKeys] = await Promise.all([generate(), generate()]);
  const validity = {
    notBefore: wholeSecond(now.getTime() - dayMilliseconds),
    notAfter: wholeSecond(now.getTime() + 7 * dayMilliseconds),
  };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: authorityName,
    serialNumber: randomSerial(),
    ...validity,
    keys: authorityKeys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    subject: 'CN=emulator-leaf, O=Roles Anywhere emulator',
    issuer: authority.subject,
    serialNumber: randomSerial(),
    ...validity,
    publicKey: leafKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'emulator-leaf.example' }]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(leafKeys.publicKey),
    ],
  });
  return {
    caPem: `${authority.toString('pem')}\n`,
    leafPem: `${leaf.toString('pem')}\n`,
    leafKeyPem: KeyObject.from(leafKeys.privateKey).export({ format: 'pem', type: 'pkcs8' }) as string,
  };
}

/**
 * The authority that a directory holds, or a new one written there: `ca.pem`, `leaf.pem` and `leaf.key` (0600). The
 * directory is made, 0700, when it is not there; its parent must be. What an emulator made is used again while it
 * lasts a day at least, and replaced when it does not; other files are left alone.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE, FILE_UNWRITABLE
 */
export async function openAuthority(x509: X509, directory: string, now: Date): Promise<Authority> {
  await makeDirectory(directory);
  const [caPath, leafPath, keyPath] = paths(directory);
  const [caPem, leafPem, leafKeyPem] = await Promise.all([caPath, leafPath, keyPath].map(readIfThere));
  if (caPem !== undefined || leafPem !== undefined || leafKeyPem !== undefined) {
    const existing = { caPem: caPem ?? '', leafPem: leafPem ?? '', leafKeyPem: leafKeyPem ?? '' };
    const leaf = readOwnLeaf(x509, existing);
    if (leaf === undefined) {
      throw new RolesAnywhereError(
        'FILE_UNWRITABLE',
        `${directory} holds a ca.pem, leaf.pem or leaf.key that no emulator made`,
        { hint: 'name an empty directory, or one that does not exist yet' },
      );
    }
    const left = leaf.notAfter.getTime() - now.getTime();
    if (left > dayMilliseconds && leaf.notBefore <= now) {
      return existing;
    }
    await Promise.all([caPath, leafPath, keyPath].map((path) => writing(path, unlink(path))));
  }
  const authority = await makeAuthority(x509, now);
  // Fails where something stands already, be it a link that leads elsewhere.
  const create = (path: string, text: string, mode: number): Promise<void> =>
    writing(path, writeFile(path, text, { flag: 'wx', mode }));
  await create(keyPath, authority.leafKeyPem, 0o600);
  await create(leafPath, authority.leafPem, 0o644);
  await create(caPath, authority.caPem, 0o644);
  return authority;
}

function paths(directory: string): [ca: string, leaf: string, key: string] {
  return [join(directory, 'ca.pem'), join(directory, 'leaf.pem'), join(directory, 'leaf.key')];
}

/** Not recursive: Node's recursive mkdir never ends under /proc. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'EEXIST') {
      const hint = code === 'ENOENT' ? 'make the directory that it is to be in first' : undefined;
      throw unwritable(directory, error, hint);
    }
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      return undefined;
    }
    throw unreadable(path, error);
  }
}

async function writing(path: string, change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** The leaf, when the three belong together and an emulator's authority issued it. */
function readOwnLeaf(x509: X509, { caPem, leafPem, leafKeyPem }: Authority): EmulatorCertificate | undefined {
  try {
    const [authority] = readPemCertificates(x509, caPem);
    const [leaf] = readPemCertificates(x509, leafPem);
    const key = createPublicKey(leafKeyPem);
    const own =
      authority?.subject.text === authorityName &&
      leaf?.publicKey !== undefined &&
      authority.issued(leaf) &&
      // Between types, `equals` leaves an error in OpenSSL's queue for whatever reads a key next.
      key.asymmetricKeyType === leaf.publicKey.asymmetricKeyType &&
      key.equals(leaf.publicKey);
    return own ? leaf : undefined;
  } catch {
    return undefined;
  }
}

function wholeSecond(time: number): Date {
  return new Date(Math.floor(time / 1000) * 1000);
}

/** 20 bytes, as many as there may be, positive and without leading zeros (RFC 5280, section 4.1.2.2). */
function randomSerial(): string {
  const bytes = randomBytes(20);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}
