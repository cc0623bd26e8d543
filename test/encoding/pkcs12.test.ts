import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derBytes, derElement, derInteger, derOctetString, derSequence } from '../../src/encoding/der.ts';
import { EncodingError, UnsupportedEncodingError } from '../../src/encoding/encoding-error.ts';
import { openPkcs12 } from '../../src/encoding/pkcs12.ts';
import { derOf, fixture } from '../support/fixtures.ts';
import {
  bag,
  certificateBag,
  contentInfo,
  keyBag,
  nestedBag,
  pfx,
  plainContents,
  shroudedKeyBag,
} from '../support/pfx.ts';

const key = derOf(fixture('leaf/p-256.pkcs8.pem'));
const certificate = derOf(fixture('leaf/p-256.pem'));
const issuer = derOf(fixture('authority/intermediate.pem'));
const password = Buffer.from('pässwörd');
const none = new Uint8Array(0);

const whole = pfx(
  [plainContents(certificateBag(certificate), certificateBag(issuer), shroudedKeyBag(key, password))],
  password,
);

describe('openPkcs12', () => {
  it('gives keys and certificates in their order', async () => {
    expect(await openPkcs12(whole, password)).toEqual({
      certificates: [Uint8Array.from(certificate), Uint8Array.from(issuer)],
      keys: [Buffer.from(key)],
    });
  });

  it('gives nothing for a wrong password', async () => {
    expect(await openPkcs12(whole, Buffer.from('wrong'))).toBeUndefined();
    expect(await openPkcs12(whole, none)).toBeUndefined();
    const withoutMac = pfx([plainContents(shroudedKeyBag(key, password))]);
    for (let count = 0; count < 300; count += 1) {
      expect(await openPkcs12(withoutMac, Buffer.from(`wrong ${count}`))).toBeUndefined();
    }
  });

  it('gives nothing when a byte of its contents changed', async () => {
    const at = Buffer.from(whole).indexOf(certificate);
    const changed = Uint8Array.from(whole);
    changed[at + 100] = (changed[at + 100] ?? 0) ^ 1;
    expect(await openPkcs12(changed, password)).toBeUndefined();
  });

  it('takes a file that nothing protects', async () => {
    const file = pfx([plainContents(keyBag(key)), plainContents(certificateBag(certificate))]);
    expect(await openPkcs12(file, none)).toEqual({
      certificates: [Uint8Array.from(certificate)],
      keys: [Uint8Array.from(key)],
    });
  });

  it('looks into nested contents, some levels deep', async () => {
    let inner = keyBag(key);
    for (let depth = 0; depth < 5; depth += 1) inner = nestedBag(inner, certificateBag(certificate));
    const file = await openPkcs12(pfx([plainContents(inner)]), none);
    expect([file?.keys.length, file?.certificates.length]).toEqual([1, 5]);
    for (let depth = 0; depth < 10; depth += 1) inner = nestedBag(inner);
    await expect(openPkcs12(pfx([plainContents(inner)]), none)).rejects.toThrow(EncodingError);
  });

  it('passes over revocation lists, secrets and what it does not know', async () => {
    const strange = [4, 5, 9].map((type) => bag(type, derOctetString([Buffer.from('x')])));
    const file = await openPkcs12(pfx([plainContents(...strange, certificateBag(certificate))]), none);
    expect(file?.certificates).toHaveLength(1);
  });

  it('names what it does not support: a signature or a certificate instead of a password', async () => {
    const signed = derBytes(derSequence(derInteger(3n), contentInfo(2, derSequence())));
    for (const file of [signed, pfx([contentInfo(3, derSequence())])]) {
      await expect(openPkcs12(file, none)).rejects.toThrow(UnsupportedEncodingError);
    }
  });

  it.each([
    ['an unknown type of content', pfx([contentInfo(9, derSequence())])],
    ['contents that are none', pfx([contentInfo(1, derOctetString([Buffer.from('text')]))])],
    ['a bag of nothing', pfx([plainContents(derSequence())])],
    ['another version', Buffer.concat([Buffer.of(0x30, 3), Buffer.from('020104', 'hex')])],
    ['nothing', none],
  ])('refuses %s', async (_, file) => {
    await expect(openPkcs12(file, none)).rejects.toThrow(EncodingError);
  });

  it('reads or refuses every beginning of a file', async () => {
    for (let length = 0; length < whole.length; length += 1) {
      await expect(openPkcs12(whole.subarray(0, length), password), `${length}`).rejects.toThrow(
        EncodingError,
      );
    }
  });

  it('reads or refuses a file with any byte changed, its lengths made indefinite or not', async () => {
    const originals = [
      whole,
      pfx([plainContents(certificateBag(certificate), shroudedKeyBag(key, password))]),
      pfx([contentInfo(6, derSequence(derElement(0x02, [Buffer.of(0)]), derSequence()))]),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...originals),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 }),
        async (original, changes) => {
          const file = Uint8Array.from(original);
          for (const [at, value] of changes) file[at % file.length] = value;
          try {
            await openPkcs12(file, password);
          } catch (error) {
            expect(error).toBeInstanceOf(EncodingError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
