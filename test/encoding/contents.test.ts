import { describe, expect, it } from 'vitest';
import { describeContents } from '../../src/encoding/contents.ts';
import { encryptPbes2 } from '../support/pbes.ts';
import { derBytes } from '../../src/encoding/der.ts';
import { pfx } from '../support/pfx.ts';

describe('describeContents', () => {
  it.each([
    ['an encrypted private key', derBytes([encryptPbes2(Buffer.from('key'), Buffer.from('password'))])],
    ['a PKCS#12 file', pfx([])],
    ['a DER file of another kind', Buffer.of(0x30, 0)],
  ])('says: it is %s', (words, bytes) => {
    expect(describeContents(bytes)).toBe(`it is ${words}`);
  });
});
