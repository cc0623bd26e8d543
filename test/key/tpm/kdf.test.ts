import { describe, expect, it } from 'vitest';
import { kdfA, kdfE } from '../../../src/key/tpm/kdf.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('KDFa', () => {
  // By `openssl kdf`, whose KBKDF is the same with salt: the label and info: the context.
  it('is the counter mode of SP 800-108', () => {
    const key = hex('000102030405060708090a0b0c0d0e0f');
    expect(Buffer.from(kdfA(key, 'ATH', hex('a0a1a2a3'), hex('b0b1b2b3'), 256)).toString('hex')).toBe(
      '05e73c537dadd2e14d72164cb6f48b2447f70a45f6253f44bf12c3c1ba8c1e78',
    );
  });

  it('goes on over more than one block', () => {
    expect(Buffer.from(kdfA(hex('ff'), 'CFB', hex(''), hex(''), 384)).toString('hex')).toBe(
      '6a9817da5e62177f2b38177b3c5c83093bc4c7bbed5f081703e25d48f43018487e89e347cd31899be2ec5fcbd876be44',
    );
  });
});

describe('KDFe', () => {
  // By `openssl kdf`, whose SSKDF is the same with info: the label, a zero byte and both parties.
  const z = Buffer.from(Array.from({ length: 32 }, (_, index) => index));

  it('is the one-step derivation of SP 800-56A', () => {
    const whole = '08fc920f9d3033e952b0e3490a04acb53ef7324548e744107218611d224bb249aee271d0bcfadcc6';
    for (const bits of [256, 320]) {
      const derived = kdfE(z, 'SECRET', Buffer.alloc(32, 0xaa), Buffer.alloc(32, 0xbb), bits);
      expect(Buffer.from(derived).toString('hex')).toBe(whole.slice(0, bits / 4));
    }
  });
});
