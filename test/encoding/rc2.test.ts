import { describe, expect, it } from 'vitest';
import { decipherRc2Cbc } from '../../src/encoding/rc2.ts';
import { EncodingError } from '../../src/encoding/encoding-error.ts';

describe('decipherRc2Cbc', () => {
  // RFC 2268, section 5.
  it.each([
    ['0000000000000000', 63, '0000000000000000', 'ebb773f993278eff'],
    ['ffffffffffffffff', 64, 'ffffffffffffffff', '278b27e42e2f0d49'],
    ['3000000000000000', 64, '1000000000000001', '30649edf9be7d2c2'],
    ['88', 64, '0000000000000000', '61a8a244adacccf0'],
    ['88bca90e90875a', 64, '0000000000000000', '6ccf4308974c267f'],
    ['88bca90e90875a7f0f79c384627bafb2', 64, '0000000000000000', '1a807d272bbe5db1'],
    ['88bca90e90875a7f0f79c384627bafb2', 128, '0000000000000000', '2269552ab0f85ca6'],
    [
      '88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e',
      129,
      '0000000000000000',
      '5b78d3a43dfff1f1',
    ],
  ])('knows key %s of %i bits', (key, bits, plain, cipher) => {
    const deciphered = decipherRc2Cbc(
      Buffer.from(key, 'hex'),
      bits,
      Buffer.alloc(8),
      Buffer.from(cipher, 'hex'),
    );
    expect(Buffer.from(deciphered).toString('hex')).toBe(plain);
  });

  it('chains blocks', () => {
    const key = Buffer.from('88bca90e90875a', 'hex');
    const block = Buffer.from('6ccf4308974c267f', 'hex');
    const iv = Buffer.from('0102030405060708', 'hex');
    const plain = decipherRc2Cbc(key, 64, iv, Buffer.concat([block, block]));
    expect(Buffer.from(plain)).toEqual(Buffer.concat([iv, block]));
  });

  it('refuses half a block', () => {
    expect(() => decipherRc2Cbc(Buffer.alloc(5), 40, Buffer.alloc(8), Buffer.alloc(9))).toThrow(
      EncodingError,
    );
  });
});
