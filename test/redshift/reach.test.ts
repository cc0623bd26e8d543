import { expect, test } from 'vitest';
import { isPrivate, reachPort } from '../../src/redshift/reach.ts';
import { failure } from '../aws/failure.ts';
import { localService } from '../aws/local-service.ts';

test.each([
  ['10.0.0.1', true],
  ['172.16.0.1', true],
  ['172.31.255.255', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['100.64.0.1', true],
  ['100.128.0.1', false],
  ['8.8.8.8', false],
  ['fd00::1', true],
  ['2001:db8::1', false],
])('whether %s is private: %s', (address, expected) => {
  expect(isPrivate(address)).toBe(expected);
});

test.each([
  [['10.0.0.9'], /the address is private/],
  [['8.8.8.8', 'fd00::1'], /the address is private/],
  [['8.8.8.8'], /publicly accessible/],
])('what may keep us from a port at %j', async (addresses, cause) => {
  const gone = await localService([]);
  await gone[Symbol.asyncDispose]();
  const error = await failure(() => reachPort({ host: '127.0.0.1', port: gone.port }, addresses));
  expect(error.code).toBe('DATABASE_UNREACHABLE');
  expect(error.hint).toMatch(cause);
  expect(error.hint).toContain(`port ${gone.port}`);
});
