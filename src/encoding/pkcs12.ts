import { berToDer } from './ber.ts';
import { DerReader, contextTag, tags } from './der.ts';
import { EncodingError, UnsupportedEncodingError } from './encoding-error.ts';
import { WorkLimit } from './key-derivation.ts';
import { decryptPbes } from './pbes.ts';
import { verifyMac } from './pkcs12-mac.ts';
import { decryptPrivateKeyInfo } from './pkcs8.ts';

/** What a PKCS#12 file holds, in its own order. */
export interface Pkcs12 {
  /** X.509, DER. */
  readonly certificates: readonly Uint8Array[];
  /** PrivateKeyInfo (RFC 5958), DER. Wipe them. */
  readonly keys: readonly Uint8Array[];
}

/**
 * Opens a PKCS#12 file (RFC 7292), DER or BER: checks its integrity and decrypts all of it. The names and identifiers
 * that it gives its parts are passed over: which certificate belongs to which key, the keys themselves tell.
 *
 * @param password in UTF-8; an empty one also opens a file without any, which PKCS#12 tells apart
 * @returns undefined when the password is wrong (or the file damaged: nothing can tell)
 * @throws EncodingError; UnsupportedEncodingError by the name of what is not supported
 */
export async function openPkcs12(bytes: Uint8Array, password: Uint8Array): Promise<Pkcs12 | undefined> {
  const der = berToDer(bytes);
  const file = new DerReader(der).sequence();
  if (file.integer() !== 3n) throw new EncodingError('it is not version 3 of PKCS#12');
  const content = readContent(file.sequence());
  const mac = file.done ? undefined : file.next(tags.sequence).encoded;
  file.end();

  const opening = new Opening(password);
  try {
    if (mac !== undefined && !(await opening.verify(mac, content))) return undefined;
    await opening.readAuthenticatedSafe(content);
    return { certificates: opening.certificates, keys: opening.keys.splice(0) };
  } catch (error) {
    if (error instanceof WrongPassword) return undefined;
    throw error;
  } finally {
    der.fill(0); // Keys may stand in it open.
    for (const key of opening.keys) key.fill(0);
  }
}

class WrongPassword extends Error {}

/** ContentInfo and its types: RFC 5652, sections 3, 4 and 8. */
const contentTypes = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  encryptedData: '1.2.840.113549.1.7.6',
} as const;

/** RFC 7292, section 4.2; the others (CRLs, secrets) are nothing to us. */
const bagTypes = {
  key: '1.2.840.113549.1.12.10.1.1',
  shroudedKey: '1.2.840.113549.1.12.10.1.2',
  certificate: '1.2.840.113549.1.12.10.1.3',
  safeContents: '1.2.840.113549.1.12.10.1.6',
} as const;

const x509Certificate = '1.2.840.113549.1.9.22.1';

/** Contents in contents: nobody writes even one level. */
const maximumNesting = 8;

function readContent(info: DerReader): Uint8Array {
  const type = info.objectIdentifier();
  if (type === contentTypes.signedData) {
    throw new UnsupportedEncodingError('integrity by a signature instead of a password');
  }
  if (type !== contentTypes.data) throw new EncodingError(`its content is of type ${type}`);
  return info.enter(contextTag(0)).octetString();
}

/** One attempt to read a file with one password. */
class Opening {
  readonly certificates: Uint8Array[] = [];
  readonly keys: Uint8Array[] = [];
  readonly #passwords: readonly (Uint8Array | undefined)[];
  readonly #work = new WorkLimit();

  constructor(password: Uint8Array) {
    this.#passwords = password.length === 0 ? [password, undefined] : [password];
  }

  async verify(mac: Uint8Array, content: Uint8Array): Promise<boolean> {
    for (const password of this.#passwords) {
      if (await verifyMac(mac, content, password, this.#work)) return true;
    }
    return false;
  }

  /** AuthenticatedSafe: RFC 7292, section 4.1. */
  async readAuthenticatedSafe(content: Uint8Array): Promise<void> {
    const der = berToDer(content);
    const safe = new DerReader(der).sequence();
    while (!safe.done) {
      const contents = await this.#openContent(safe.sequence());
      await this.#readSafeContents(contents);
      contents.fill(0);
    }
    der.fill(0);
  }

  /** SafeContents, DER, of its own memory. */
  async #openContent(info: DerReader): Promise<Uint8Array> {
    const type = info.objectIdentifier();
    const inside = info.enter(contextTag(0));
    switch (type) {
      case contentTypes.data:
        return berToDer(inside.octetString());
      case contentTypes.encryptedData:
        return this.#decryptContent(inside.sequence());
      case contentTypes.envelopedData:
        throw new UnsupportedEncodingError('encryption for a certificate instead of a password');
      default:
        throw new EncodingError(`a part of it is of type ${type}`);
    }
  }

  /** EncryptedData and EncryptedContentInfo: RFC 5652, sections 8 and 6.1. */
  #decryptContent(encryptedData: DerReader): Promise<Uint8Array> {
    encryptedData.integer();
    const info = encryptedData.sequence();
    info.objectIdentifier();
    const algorithm = info.next(tags.sequence).encoded;
    const data = readImplicitOctets(info);
    return this.#decrypt((password) => decryptPbes(algorithm, data, password, this.#work));
  }

  /** Padding alone does not tell a wrong password: what comes out must have a structure too. */
  async #decrypt(
    attempt: (password: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array> {
    for (const password of this.#passwords) {
      const plain = await attempt(password);
      try {
        if (plain !== undefined) return berToDer(plain);
      } catch (error) {
        if (!(error instanceof EncodingError)) throw error;
      } finally {
        plain?.fill(0);
      }
    }
    throw new WrongPassword();
  }

  /** SafeContents: RFC 7292, section 4.2. */
  async #readSafeContents(der: Uint8Array, nesting = 0): Promise<void> {
    if (nesting > maximumNesting) throw new EncodingError('it is nested too deeply');
    const contents = new DerReader(der).sequence();
    while (!contents.done) {
      const bag = contents.sequence();
      const type = bag.objectIdentifier();
      const value = bag.next(contextTag(0)).content;
      switch (type) {
        case bagTypes.key:
          this.keys.push(Uint8Array.from(value));
          break;
        case bagTypes.shroudedKey:
          this.keys.push(
            await this.#decrypt((password) => decryptPrivateKeyInfo(value, password, this.#work)),
          );
          break;
        case bagTypes.certificate:
          this.#addCertificate(new DerReader(value).sequence());
          break;
        case bagTypes.safeContents:
          await this.#readSafeContents(value, nesting + 1);
      }
    }
  }

  /** CertBag: RFC 7292, section 4.2.3; what is no X.509 certificate is nothing to us. */
  #addCertificate(bag: DerReader): void {
    if (bag.objectIdentifier() === x509Certificate) {
      this.certificates.push(Uint8Array.from(bag.enter(contextTag(0)).octetString()));
    }
  }
}

/** `[0] IMPLICIT OCTET STRING`, which BER may have split: then it stands there as its parts. */
function readImplicitOctets(info: DerReader): Uint8Array {
  if (info.peek() === 0x80) return info.next().content;
  const parts = info.enter(contextTag(0));
  const octets: Uint8Array[] = [];
  while (!parts.done) octets.push(parts.octetString());
  return Buffer.concat(octets);
}
