import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fingerprint,
  formatEntry,
  isFresh,
  isUsable,
  isValid,
  parseEntry,
} from '../../../src/credentials/cache/entry.ts';
import type { Entry } from '../../../src/credentials/cache/entry.ts';

const minutes = (count: number) => new Date(Date.UTC(2030, 0, 1) + count * 60_000);
const entry: Entry = {
  opened: minutes(0),
  refreshAt: minutes(45),
  expiration: minutes(60),
  payload: { secretAccessKey: 'wJalrXUtnFEMI', sessionToken: 'é√' },
};
const text = formatEntry('shape', entry);

describe('an entry', () => {
  it('comes back as it was', () => {
    expect(parseEntry(text, 'shape')).toEqual(entry);
  });

  it('comes back as it was or not at all, whatever happens to its bytes', () => {
    const bytes = Buffer.from(text);
    const position = fc.nat(bytes.length);
    const changed = fc.oneof(
      position.map((at) => bytes.subarray(0, at)),
      fc.tuple(position, fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([at, noise]) => {
        return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at + noise.length)]);
      }),
      fc.tuple(position, position).map(([from, to]) => {
        return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
      }),
      fc.uint8Array({ maxLength: 400 }).map((noise) => Buffer.from(noise)),
    );
    fc.assert(
      fc.property(changed, (contents) => {
        const read = parseEntry(contents.toString('utf8'), 'shape');
        if (contents.equals(bytes)) expect(read).toEqual(entry);
        else expect(read).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it('is none for another shape, of another version, or with more life than any session', () => {
    expect(parseEntry(text, 'other')).toBeUndefined();
    const body = text.slice(17, -1).replace('"version":1', '"version":2');
    expect(parseEntry(`${fingerprint(body)}\n${body}\n`, 'shape')).toBeUndefined();
    const endless = formatEntry('shape', { ...entry, expiration: minutes(24 * 60) });
    expect(parseEntry(endless, 'shape')).toBeUndefined();
  });

  it.each([
    [0, true, true, true],
    [44.99, true, true, true],
    [45, false, true, true],
    [58.99, false, true, true],
    [59, false, false, true],
    [59.97, false, false, true],
    [60, false, false, false],
    // The clock was set back since.
    [-0.9, true, true, true],
    [-1.1, false, false, false],
  ])('at minute %d: fresh %s, usable %s, valid %s', (minute, ...expected) => {
    const now = minutes(minute);
    expect([isFresh(entry, now), isUsable(entry, now), isValid(entry, now)]).toEqual(expected);
  });
});

describe('the fingerprint', () => {
  it('has 16 digits, and differs wherever texts do', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(fingerprint(a)).toMatch(/^[\da-f]{16}$/);
        expect(fingerprint(a) === fingerprint(b)).toBe(a === b);
      }),
    );
    const texts = Array.from({ length: 20_000 }, (_, i) => `arn:aws:iam::123456789012:role/${i}`);
    expect(new Set(texts.map(fingerprint)).size).toBe(texts.length);
  });
});
