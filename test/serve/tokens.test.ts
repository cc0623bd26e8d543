import { describe, expect, it } from 'vitest';
import { Tokens } from '../../src/serve/tokens.ts';

describe('Tokens', () => {
  it('says how many whole seconds a token has left, until it ends', () => {
    const tokens = new Tokens();
    const token = tokens.issue(60, 5000);
    expect(tokens.secondsLeft(token, 5000)).toBe(60);
    expect(tokens.secondsLeft(token, 5001)).toBe(59);
    expect(tokens.secondsLeft(token, 64_999)).toBe(0);
    expect(tokens.secondsLeft(token, 65_000)).toBeUndefined();
  });

  it('gives each token its own time', () => {
    const tokens = new Tokens();
    const [short, long] = [tokens.issue(1, 0), tokens.issue(21_600, 0)];
    expect(tokens.secondsLeft(short, 1000)).toBeUndefined();
    expect(tokens.secondsLeft(long, 1000)).toBe(21_599);
  });

  it('forgets the oldest first, and keeps as many as it says', () => {
    const tokens = new Tokens(3);
    const issued = [1, 2, 3, 4, 5].map(() => tokens.issue(60, 0));
    expect(issued.map((token) => tokens.secondsLeft(token, 0))).toEqual([undefined, undefined, 60, 60, 60]);
  });

  it('serves 1,000 clients at once without taking a token from any', () => {
    const tokens = new Tokens();
    const issued = Array.from({ length: 3000 }, () => tokens.issue(60, 0));
    expect(new Set(issued).size).toBe(3000);
    expect(issued.every((token) => tokens.secondsLeft(token, 0) === 60)).toBe(true);
  });

  it('takes nothing else for a token', () => {
    const tokens = new Tokens(2);
    const token = tokens.issue(60, 0);
    const altered = (index: number): string =>
      `${token.slice(0, index)}${token[index] === 'A' ? 'B' : 'A'}${token.slice(index + 1)}`;
    const wrong = [
      '',
      'x',
      `${token}0`,
      `${token} `,
      token.slice(1),
      // What decoders of base64 skip.
      `${token.slice(0, 10)}!!${token.slice(10)}`,
      `${token.slice(0, 10)}!!${token.slice(12)}`,
      // An empty place, and others beyond the ring.
      `${token.slice(0, -1)}1`,
      `${token.slice(0, -4)}9999`,
      `${token.slice(0, -4)}  -1`,
      `${token.slice(0, -4)}-0.0`,
      ...Array.from(token, (_, index) => altered(index)),
    ];
    for (const text of wrong) expect(tokens.secondsLeft(text, 0), text).toBeUndefined();
    expect(tokens.secondsLeft(token, 0)).toBe(60);
  });
});
