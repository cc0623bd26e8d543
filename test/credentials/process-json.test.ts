import { expect, test } from 'vitest';
import { formatProcessCredentials } from '../../src/credentials/process-json.ts';

test('one JSON document in one line, whose expiration has whole seconds, cut and not rounded', () => {
  const text = formatProcessCredentials({
    accessKeyId: 'ASIA',
    secretAccessKey: 'a"b\\c',
    sessionToken: 'token==',
    expiration: new Date('2026-11-21T12:00:00.999Z'),
  });
  expect(text).not.toContain('\n');
  expect(Object.entries(JSON.parse(text) as object)).toEqual([
    ['Version', 1],
    ['AccessKeyId', 'ASIA'],
    ['SecretAccessKey', 'a"b\\c'],
    ['SessionToken', 'token=='],
    ['Expiration', '2026-11-21T12:00:00Z'],
  ]);
});
