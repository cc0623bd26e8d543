import { expect, it } from 'vitest';
import { daily } from '../../src/credentials/daily.ts';

it('passes each warning on once a day, and everything else always', () => {
  let now = new Date('2030-01-01T00:00:00Z');
  const said: string[] = [];
  const say = (message: string): unknown => said.push(message);
  const told = daily({ warn: say, note: say, debug: say }, () => now);
  const tell = (): string[] => {
    said.length = 0;
    for (const message of ['w', 'w', 'W']) told.warn(message);
    for (const message of ['n', 'n']) told.note?.(message);
    for (const message of ['d', 'd']) told.debug(message);
    return said;
  };
  const others = ['n', 'n', 'd', 'd'];
  expect(tell()).toEqual(['w', 'W', ...others]);
  now = new Date('2030-01-01T23:59:59Z');
  expect(tell()).toEqual(others);
  now = new Date('2030-01-02T00:00:00Z');
  expect(tell()).toEqual(['w', 'W', ...others]);
  // A clock that was set back does not silence them for longer.
  now = new Date('2029-01-01T00:00:00Z');
  expect(tell()).toEqual(['w', 'W', ...others]);
});
