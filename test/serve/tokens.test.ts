import { describe, expect, it } from 'vitest';
import { Tokens } from '../../src/serve/tokens.ts';

describe('Tokens', () => {
  it('says how many whole seconds a token has left, until it ends', () => {
    let now = 5000;
    const tokens = new Tokens(() => now);
    const token = tokens.issue(60);
    expect(tokens.secondsLeft(token)).toBe(60);
    now += 1;
    expect(tokens.secondsLeft(token)).toBe(59);
    now += 59_998;
    expect(tokens.secondsLeft(token)).toBe(0);
    now += 1;
    expect(tokens.secondsLeft(token)).toBeUndefined();
  });

  it('gives each token its own time', () => {
    let now = 0;
    const tokens = new Tokens(() => now);
    const [short, long] = [tokens.issue(1), tokens.issue(21_600)];
    now = 1000;
    expect(tokens.secondsLeft(short)).toBeUndefined();
    expect(tokens.secondsLeft(long)).toBe(21_599);
  });

  it('forgets the oldest first, and keeps as many as it says', () => {
    const tokens = new Tokens(() => 0, 3);
    const issued = [1, 2, 3, 4, 5].map(() => tokens.issue(60));
    expect(issued.map((token) => tokens.secondsLeft(token))).toEqual([undefined, undefined, 60, 60, 60]);
  });

  it('serves 1,000 clients at once without taking a token from any', () => {
    const tokens = new Tokens(() => 0);
    const issued = Array.from({ length: 3000 }, () => tokens.issue(60));
    expect(new Set(issued).size).toBe(3000);
    expect(issued.every((token) => tokens.secondsLeft(token) === 60)).toBe(true);
  });

  it('takes nothing else for a token', () => {
    const tokens = new Tokens(() => 0, 2);
    const token = tokens.issue(60);
    const bytes = Buffer.from(token, 'base64url');
    const altered = (index: number): string => {
      const copy = Buffer.from(bytes);
      copy[index] = (copy[index] ?? 0) ^ 1;
      return copy.toString('base64url');
    };
    const wrong = [
      '',
      'x',
      `${token}AAAA`,
      token.slice(4),
      // An empty place, whose secret is all zeros.
      Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(32)]).toString('base64url'),
      // A place beyond the ring.
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(32)]).toString('base64url'),
      ...Array.from(bytes, (_, index) => altered(index)),
    ];
    for (const text of wrong) expect(tokens.secondsLeft(text), text).toBeUndefined();
  });
});
