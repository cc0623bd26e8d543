import { expect, it } from 'vitest';
import { describe } from '../../src/aws/service-error.ts';
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

it('takes a refusal for the same, whatever its request id', () => {
  const said: string[] = [];
  const told = daily({ warn: (message) => said.push(message), debug: () => undefined });
  const refusal = (code: string, requestId: string): string =>
    describe({ status: 503, code, message: 'not now', requestId });
  const first = refusal('Busy', '5e1d-0a');
  const other = refusal('Throttling', '77c0-1f');
  for (const message of [first, refusal('Busy', 'c3f9-b2'), other, first]) told.warn(message);
  expect(said).toEqual([first, other]);
});
