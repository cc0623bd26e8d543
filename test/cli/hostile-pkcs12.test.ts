import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { derBytes, derElement, derInteger, derSequence } from '../../src/encoding/der.ts';
import { fixturePath } from '../support/fixtures.ts';
import { measure } from '../support/measure.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hostile-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a PKCS#12 file below 1 MiB, of very many elements', () => {
  it.each([
    ['parts of one byte', 0x24, '040141', 346_000],
    ['empty parts', 0x24, '0400', 520_000],
    ['empty SEQUENCEs', 0x30, '3000', 520_000],
  ])('%s: is refused within bounds', async (name, tag, child, count) => {
    const file = path.join(folder, `${name}.p12`);
    const children = derElement(tag, [Buffer.alloc((child.length / 2) * count, child, 'hex')]);
    await writeFile(file, derBytes(derSequence(derInteger(3n), children)), { mode: 0o600 });
    for (const words of [
      ['read-certificate-data', '--certificate', file],
      ['sign-string', '--private-key', file],
      ['sign-string', '--certificate', fixturePath('leaf/p-256.pem'), '--private-key', file],
    ]) {
      const { code, stdout, stderr, mebibytes, seconds } = measure(words);
      expect({ code, stdout }, stderr).toEqual({ code: 3, stdout: '' });
      expect(stderr).toContain('too many elements');
      // Node.js alone takes some 50 to 80 MiB.
      expect(mebibytes).toBeLessThan(160);
      expect(seconds).toBeLessThan(10);
    }
  });
});
