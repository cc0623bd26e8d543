import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readResponseCode, TpmRefusal } from '../../../src/key/tpm/response-code.ts';

const isWrongPassword = (code: number): boolean =>
  new TpmRefusal('TPM2_Sign', readResponseCode(code)).isWrongPassword;

describe('response codes', () => {
  it.each([
    [0x98e, 'AUTH_FAIL', 'session 1'],
    [0x9a2, 'BAD_AUTH', 'session 1'],
    [0xa8e, 'AUTH_FAIL', 'session 2'],
    [0x1df, 'INTEGRITY', 'parameter 1'],
    [0x2d2, 'SCHEME', 'parameter 2'],
    [0xfd5, 'SIZE', 'parameter 15'],
    [0x18b, 'HANDLE', 'handle 1'],
    [0x28b, 'HANDLE', 'handle 2'],
    [0x08b, 'HANDLE', '0x8b'],
    [0x100, 'INITIALIZE', '0x100'],
    [0x101, 'FAILURE', '0x101'],
    [0x12f, 'AUTH_UNAVAILABLE', '0x12f'],
    [0x902, 'OBJECT_MEMORY', '0x902'],
    [0x90a, 'TESTING', '0x90a'],
    [0x910, 'REFERENCE_H0', '0x910'],
    [0x921, 'LOCKOUT', '0x921'],
    [0x922, 'RETRY', '0x922'],
    // The kernel's resource manager answers in the TPM's place.
    [0xb0143, 'COMMAND_CODE', '0xb0143'],
  ])('0x%s is TPM_RC_%s, %s', (code, name, detail) => {
    const read = readResponseCode(code);
    expect(read.name).toBe(name);
    expect(read.words).toContain(`TPM_RC_${name} (`);
    expect(read.words).toContain(detail);
  });

  it('say what to do', () => {
    for (const code of [0x922, 0x908, 0x90a, 0x920]) expect(readResponseCode(code).advice).toBe('resend');
    for (const code of [0x902, 0x903, 0x904, 0x905, 0x906]) {
      expect(readResponseCode(code).advice).toBe('begin again');
    }
    for (const code of [0x98e, 0x9a2, 0x921, 0x101, 0x18b])
      expect(readResponseCode(code).advice).toBe('give up');
  });

  it('of wrong passwords are AUTH_FAIL and BAD_AUTH, whatever they are said of, and no other', () => {
    for (let code = 0; code <= 0xfff; code += 1) {
      const number = code & 0x3f;
      const expected = (code & 0x80) !== 0 && (number === 0x0e || number === 0x22);
      expect(isWrongPassword(code), `0x${code.toString(16)}`).toBe(expected);
    }
  });

  it('that nobody knows are told by their number', () => {
    expect(readResponseCode(0x501)).toMatchObject({
      name: undefined,
      words: 'unknown response code (0x501)',
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffffffff }), (code) => {
        const { words, parameter } = readResponseCode(code);
        expect(words).toContain(`0x${code.toString(16)}`);
        expect(parameter).toBe((code & 0xc0) === 0xc0 ? (code >>> 8) & 0xf : undefined);
      }),
    );
  });
});
