import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoff, pause, retryAfter } from '../../src/aws/retry.ts';

test('a wait is never longer than five seconds, and never negative', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const wait = backoff(attempt, random);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(5000);
      },
    ),
  );
  expect(backoff(60, 1)).toBe(5000);
});

describe('Retry-After', () => {
  const now = new Date('2026-01-02T03:04:05Z');
  test.each([
    [undefined, 0],
    ['0', 0],
    ['7', 7000],
    ['99999999', 20_000],
    ['-5', 0],
    ['soon', 0],
    ['Fri, 02 Jan 2026 03:04:15 GMT', 10_000],
    ['Fri, 02 Jan 2026 03:00:00 GMT', 0],
    ['Fri, 02 Jan 2099 03:00:00 GMT', 20_000],
  ])('%s: %d ms', (header, wait) => {
    expect(retryAfter(header, now)).toBe(wait);
  });
});

test('a pause lasts as long as it is to', async () => {
  const before = performance.now();
  await pause(30);
  expect(performance.now() - before).toBeGreaterThan(28);
});
