import { describe, expect, it } from 'vitest';
import { UnsupportedEncodingError } from '../../src/encoding/encoding-error.ts';
import {
  WorkLimit,
  deriveBytesToKey,
  derivePbkdf1,
  derivePbkdf2,
  derivePkcs12,
  derivePkcs12KeyAndIv,
  deriveScrypt,
  purposes,
} from '../../src/encoding/key-derivation.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const salt = Buffer.from('salt');
const password = Buffer.from('password');

describe('key derivation', () => {
  it('is PBKDF2 by RFC 6070', async () => {
    const key = await derivePbkdf2(password, { salt, iterations: 4096, hash: 'sha1' }, 20, new WorkLimit());
    expect(hex(key)).toBe('4b007901b765489abead49d926f721d065a429c1');
  });

  it('is scrypt by RFC 7914, section 12', async () => {
    const parameters = { salt: Buffer.from('NaCl'), N: 1024, r: 8, p: 16 };
    expect(hex(await deriveScrypt(password, parameters, 16, new WorkLimit()))).toBe(
      'fdbabe1c9d3472007856e7190d01e9fe',
    );
  });

  // Made by `openssl kdf -kdfopt digest:… -kdfopt pass:smeg -kdfopt id:… PKCS12KDF` (OpenSSL 3.0), the password as BMPString.
  it.each([
    ['sha1', 1, purposes.key, 24, '8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3'],
    ['sha1', 1, purposes.iv, 8, '79993dfe048d3b76'],
    [
      'sha512',
      1000,
      purposes.mac,
      64,
      '03d741f5949e0f87720daa7f1e6c8e77deefae1c0e1c829300730195c2f2f3ca' +
        '276408f5841e6c2529fbd0c8a2bdb325b39191d145db35f7d443d8f3c6d2e723',
    ],
    [
      'sha512-256',
      3,
      purposes.key,
      70,
      '0b10abf196d657f62e932349ddd67141f2def8cd5a8ac3013568d4002e624a44' +
        'e162bb5a00186c2527e18c68de668f192f6327c4e898b07166ab69c7b6fcbd87' +
        '7294a9a1139c',
    ],
  ])(
    'is that of PKCS#12 with %s, %i times, for purpose %i',
    (hash, iterations, purpose, length, expected) => {
      const parameters = { salt: Buffer.from('0a58cf64530d823f', 'hex'), iterations, hash };
      expect(hex(derivePkcs12(Buffer.from('smeg'), parameters, purpose, length, new WorkLimit()))).toBe(
        expected,
      );
    },
  );

  it('tells an empty password of PKCS#12 from none', () => {
    const parameters = { salt, iterations: 2, hash: 'sha256' };
    const derive = (given?: Uint8Array): string =>
      hex(derivePkcs12(given, parameters, purposes.mac, 32, new WorkLimit()));
    expect(derive(new Uint8Array(0))).not.toBe(derive());
  });

  it('is EVP_BytesToKey', () => {
    // openssl enc -aes-256-cbc -md md5 -k password -S 0102030405060708 -P
    expect(hex(deriveBytesToKey(password, Buffer.from('0102030405060708', 'hex'), 32))).toBe(
      'e7b0971e52ca5cc8d0539fb3412f6316f7ba2e6ee293d9f3457b99436b51ce02',
    );
  });
});

describe('WorkLimit', () => {
  const costs = { salt, iterations: 5_000_001, hash: 'sha1' };

  it('bounds every derivation', async () => {
    await expect(derivePbkdf2(password, costs, 20, new WorkLimit())).rejects.toThrow(
      UnsupportedEncodingError,
    );
    expect(() => derivePbkdf1(password, costs, new WorkLimit())).toThrow(UnsupportedEncodingError);
    expect(() => derivePkcs12(password, costs, purposes.key, 8, new WorkLimit())).toThrow(
      UnsupportedEncodingError,
    );
    await expect(
      deriveScrypt(password, { salt, N: 2 ** 20, r: 8, p: 1 }, 32, new WorkLimit()),
    ).rejects.toThrow(UnsupportedEncodingError);
  });

  it('counts the blocks that PBKDF2 makes', async () => {
    const half = { salt, iterations: 2_500_001, hash: 'sha1' };
    await expect(derivePbkdf2(password, half, 40, new WorkLimit())).rejects.toThrow(UnsupportedEncodingError);
  });

  it('counts twice what takes twice as long', async () => {
    const half = { salt, iterations: 2_500_001, hash: 'sha512' };
    await expect(derivePbkdf2(password, half, 64, new WorkLimit())).rejects.toThrow(UnsupportedEncodingError);
  });

  it('counts all rounds of PKCS#12 before the first one', () => {
    // One block of the two is within the limit, and would take a second and a half.
    const most = { salt, iterations: 1_000_000, hash: 'sha1' };
    const start = performance.now();
    expect(() => derivePkcs12(password, most, purposes.key, 24, new WorkLimit())).toThrow(
      UnsupportedEncodingError,
    );
    expect(() => derivePkcs12KeyAndIv(password, most, 16, 8, new WorkLimit())).toThrow(
      UnsupportedEncodingError,
    );
    expect(performance.now() - start).toBeLessThan(200);
  });

  it('leaves room for the 600,000 that OWASP advises, in each part of a file', () => {
    // openssl pkcs12 -export -iter 600000, tried with an empty password and with none; then with the right one.
    const work = new WorkLimit();
    for (const each of [1, 2]) work.spend(4 * 600_000, `integrity ${each}`);
    const again = new WorkLimit();
    for (const part of [4, 1, 1]) again.spend(part * 600_000, 'a part');
  });

  it('adds up over all parts of a file', () => {
    const work = new WorkLimit();
    for (let part = 0; part < 5; part += 1) work.spend(1_000_000, 'a part');
    expect(() => {
      work.spend(1, 'one more');
    }).toThrow(UnsupportedEncodingError);
  });

  it('is not moved by numbers that are none', () => {
    expect(() => {
      new WorkLimit().spend(Number.POSITIVE_INFINITY, 'for ever');
    }).toThrow(UnsupportedEncodingError);
    expect(() => {
      new WorkLimit().spend(Number.NaN, 'nothing');
    }).toThrow(UnsupportedEncodingError);
  });
});
