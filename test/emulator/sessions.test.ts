import { expect, test } from 'vitest';
import { Sessions } from '../../src/emulator/sessions.ts';

const start = new Date('2026-06-15T12:00:00Z');
const later = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);
const grant = {
  role: { name: 'emulator', id: 'AROA' },
  sessionName: 'name',
  sourceIdentity: 'CN=name',
  tags: {},
  expiration: later(900),
};

test('an expired session is remembered for an hour, then forgotten', () => {
  const sessions = new Sessions();
  const { accessKeyId } = sessions.issue(grant, start);
  sessions.issue({ ...grant, expiration: later(9000) }, later(900 + 3600));
  expect(sessions.find(accessKeyId)).toBeDefined();
  sessions.issue({ ...grant, expiration: later(9000) }, later(900 + 3601));
  expect(sessions.find(accessKeyId)).toBeUndefined();
});

test('ten thousand sessions are kept, the oldest goes first', () => {
  const sessions = new Sessions();
  const keys = Array.from({ length: 10_001 }, () => sessions.issue(grant, start).accessKeyId);
  expect(keys.map((key) => sessions.find(key) !== undefined)).toEqual(keys.map((_, index) => index > 0));
});

test('a session does not print its secrets', () => {
  const session = new Sessions().issue(grant, start);
  expect(JSON.stringify(session)).not.toContain(session.secretAccessKey.expose());
  expect(JSON.stringify(session)).not.toContain(session.sessionToken.expose());
});
