import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncodingError } from '../../../src/encoding/encoding-error.ts';
import { join, sized, TpmReader, uint16, uint32, uint8 } from '../../../src/key/tpm/marshal.ts';

const bytes = (maxLength = 300) => fc.uint8Array({ maxLength });

describe('marshalling', () => {
  it('is big-endian', () => {
    expect([...join(uint8(0x01), uint16(0x0203), uint32(0x84050607))]).toEqual([1, 2, 3, 0x84, 5, 6, 7]);
    expect([...sized(Buffer.from('ab'), Buffer.from('c'))]).toEqual([0, 3, 0x61, 0x62, 0x63]);
  });

  it('reads what it wrote, and knows the end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xff }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 0xffffffff }),
        bytes(),
        bytes(),
        (one, two, four, content, rest) => {
          const reader = new TpmReader(join(uint8(one), uint16(two), uint32(four), sized(content), rest));
          expect([reader.uint8(), reader.uint16(), reader.uint32()]).toEqual([one, two, four]);
          expect(Uint8Array.from(reader.sized())).toEqual(content);
          if (rest.length > 0)
            expect(() => {
              reader.end();
            }).toThrow(EncodingError);
          expect(Uint8Array.from(reader.rest())).toEqual(rest);
          reader.end();
        },
      ),
    );
  });

  it('refuses every truncation', () => {
    fc.assert(
      fc.property(bytes(), fc.nat(), (content, cut) => {
        const whole = sized(content);
        expect(() => new TpmReader(whole.subarray(0, cut % whole.length)).sized()).toThrow(EncodingError);
      }),
    );
  });

  it('refuses what no TPM2B can hold', () => {
    expect(() => sized(new Uint8Array(0x10000))).toThrow(EncodingError);
    expect(sized(new Uint8Array(0xffff))).toHaveLength(0x10001);
  });
});
