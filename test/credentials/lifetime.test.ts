import { expect, it } from 'vitest';
import { advisoryAt, mandatoryAt } from '../../src/credentials/lifetime.ts';

const opened = new Date('2030-01-01T00:00:00Z');
const after = (seconds: number): Date => new Date(opened.getTime() + seconds * 1000);

it.each([
  [43_200, 43_200 - 900, 43_200 - 300],
  [3600, 2700, 3300],
  [2700, 1800, 2400],
  [1800, 1200, 1500],
  [900, 600, 750],
  [6, 4, 5],
  [0, 0, 0],
])(
  'of %i seconds, %i pass before the advisory time and %i before the mandatory one',
  (life, advisory, mandatory) => {
    const lifetime = { opened, expiration: after(life) };
    expect(advisoryAt(lifetime)).toEqual(after(advisory));
    expect(mandatoryAt(lifetime)).toEqual(after(mandatory));
  },
);

it('takes a clock that is ahead of the expiration for no life at all', () => {
  const lifetime = { opened, expiration: after(-60) };
  expect(advisoryAt(lifetime)).toEqual(after(-60));
});
