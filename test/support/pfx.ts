import { createHmac, pbkdf2Sync } from 'node:crypto';
import {
  contextTag,
  derBytes,
  derElement,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
} from '../../src/encoding/der.ts';
import type { DerPieces } from '../../src/encoding/der.ts';
import { encryptPbes2 } from './pbes.ts';

/* PKCS#12 files (RFC 7292) of parts to choose, in shapes that no tool writes. */

const pkcs7 = '1.2.840.113549.1.7.';
const bags = '1.2.840.113549.1.12.10.1.';

export function bag(type: number, value: DerPieces): DerPieces {
  return derSequence(derObjectIdentifier(`${bags}${type}`), derElement(contextTag(0), value));
}

export function certificateBag(der: Uint8Array): DerPieces {
  const octets = derElement(contextTag(0), derOctetString([der]));
  return bag(3, derSequence(derObjectIdentifier('1.2.840.113549.1.9.22.1'), octets));
}

export function keyBag(pkcs8: Uint8Array): DerPieces {
  return bag(1, [pkcs8]);
}

export function shroudedKeyBag(pkcs8: Uint8Array, password: Uint8Array): DerPieces {
  return bag(2, [encryptPbes2(pkcs8, password)]);
}

/** SafeContents as a bag of other SafeContents. */
export function nestedBag(...inner: readonly DerPieces[]): DerPieces {
  return bag(6, derSequence(...inner));
}

export function contentInfo(type: number, content: DerPieces): DerPieces {
  return derSequence(derObjectIdentifier(`${pkcs7}${type}`), derElement(contextTag(0), content));
}

/** One SafeContents, not encrypted. */
export function plainContents(...contents: readonly DerPieces[]): DerPieces {
  return contentInfo(1, derOctetString(derSequence(...contents)));
}

export function pfx(infos: readonly DerPieces[], macPassword?: Uint8Array): Uint8Array {
  const content = derBytes(derSequence(...infos));
  return derBytes(
    derSequence(
      derInteger(3n),
      contentInfo(1, derOctetString([content])),
      macPassword === undefined ? [] : pbmac1(content, macPassword),
    ),
  );
}

/** RFC 9579 */
function pbmac1(content: Uint8Array, password: Uint8Array): DerPieces {
  const key = pbkdf2Sync(password, 'salt', 3, 32, 'sha256');
  const hmacWithSha256 = derSequence(derObjectIdentifier('1.2.840.113549.2.9'));
  const derivation = derSequence(
    derObjectIdentifier('1.2.840.113549.1.5.12'),
    derSequence(derOctetString([Buffer.from('salt')]), derInteger(3n), derInteger(32n), hmacWithSha256),
  );
  const algorithm = derSequence(
    derObjectIdentifier('1.2.840.113549.1.5.14'),
    derSequence(derivation, hmacWithSha256),
  );
  const mac = createHmac('sha256', key).update(content).digest();
  return derSequence(
    derSequence(algorithm, derOctetString([mac])),
    derOctetString([Buffer.of(0)]),
    derInteger(1n),
  );
}
