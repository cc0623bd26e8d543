import { createECDH } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kdfE } from '../../../src/key/tpm/kdf.ts';
import { TpmReader } from '../../../src/key/tpm/marshal.ts';
import { storageTemplates } from '../../../src/key/tpm/public-area.ts';
import { makeSalt } from '../../../src/key/tpm/session.ts';

// What goes over the bus, and that a TPM understands it, is shown in signer.test.ts and tpm.e2e.test.ts.
describe('the salt', () => {
  it('is what the key’s owner derives from the ephemeral point, and another each time', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.boolean(), (strips) => {
        const owner = createECDH('prime256v1');
        const point = owner.generateKeys();
        const coordinate = (bytes: Buffer): Buffer =>
          strips ? bytes.subarray(bytes.findIndex((byte) => byte !== 0)) : bytes;
        const area = {
          ...storageTemplates.ecc,
          x: coordinate(point.subarray(1, 33)),
          y: coordinate(point.subarray(33)),
        };
        const { secret, encrypted } = makeSalt(area);
        const reader = new TpmReader(encrypted);
        const [x, y] = [reader.sized(), reader.sized()];
        reader.end();
        expect([x.length, y.length]).toEqual([32, 32]);
        const z = owner.computeSecret(Buffer.concat([Buffer.of(4), x, y]));
        // Leading zeros are where TPMs differ: there are none.
        expect(x[0] === 0 || z[0] === 0).toBe(false);
        expect(Buffer.from(secret)).toEqual(Buffer.from(kdfE(z, 'SECRET', x, point.subarray(1, 33), 256)));
        expect(seen.has(Buffer.from(secret).toString('hex'))).toBe(false);
        seen.add(Buffer.from(secret).toString('hex'));
      }),
      { numRuns: 300 },
    );
  });
});
