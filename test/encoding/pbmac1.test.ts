import { describe, expect, it } from 'vitest';
import { EncodingError } from '../../src/encoding/encoding-error.ts';
import { openPkcs12 } from '../../src/encoding/pkcs12.ts';
import data from './vectors/pbmac1.json' with { type: 'json' };

const open = (index: number, password: string) =>
  openPkcs12(Buffer.from(data.vectors[index]?.file ?? '', 'base64'), Buffer.from(password));

describe('PBMAC1 by the vectors of RFC 9579', () => {
  it.each([0, 1, 2])('opens A.%#', async (index) => {
    const file = await open(index, '1234');
    expect(file?.keys).toHaveLength(1);
    expect(file?.certificates.length).toBeGreaterThan(0);
    expect(await open(index, '12345')).toBeUndefined();
  });

  it('refuses an incorrect iteration count and an incorrect salt', async () => {
    expect(await open(3, '1234')).toBeUndefined();
    expect(await open(4, '1234')).toBeUndefined();
  });

  it('refuses a missing key length', async () => {
    await expect(open(5, '1234')).rejects.toThrow(EncodingError);
  });
});
