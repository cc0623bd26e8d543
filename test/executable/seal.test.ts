import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fetchBun, hostTarget } from '../../scripts/bun/runtime.mjs';
import { seal } from '../../scripts/bun/seal.mjs';

// That a sealed one heeds nothing show environment.test.ts and targets.test.ts. This is about a Bun to come.
describe.each([...new Set([hostTarget(), 'linux-arm64'])])('no executable for %s', async (target) => {
  const original = await readFile((await fetchBun(target)).path);
  const sealed = (bytes: Buffer) => () => {
    const copy = Buffer.from(bytes);
    seal(copy);
    return copy;
  };

  it('is built where a variable has another name', () => {
    const other = Buffer.from(original);
    const name = 'BUN_OPTIONS';
    for (let at = other.indexOf(name); at !== -1; at = other.indexOf(name, at)) other.write('NEW', at);
    expect(sealed(other)).toThrow(/^BUN_OPTIONS is no C string .*seal\.mjs$/);
  });

  it('is built where the options of the engine are asked for in another way', () => {
    // Names begin with zeros when they are sealed; all else that is changed is the branch.
    const other = sealed(original)();
    for (const [at, byte] of original.entries()) if (other[at] === 0) other[at] = byte;
    expect(sealed(other)).toThrow(/^0 places .*seal\.mjs$/);
  });

  it('is built where they are asked for in two places', () => {
    expect(sealed(Buffer.concat([original, original]))).toThrow(/^2 places .*seal\.mjs$/);
  });
});
