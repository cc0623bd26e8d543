import { afterEach, expect, test, vi } from 'vitest';
import { env } from '../../src/runtime/env.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a variable that is set but empty counts as unset', () => {
  vi.stubEnv('ROLESANYWHERE_TEST', 'value');
  expect(env('ROLESANYWHERE_TEST')).toBe('value');
  vi.stubEnv('ROLESANYWHERE_TEST', '');
  expect(env('ROLESANYWHERE_TEST')).toBeUndefined();
  vi.stubEnv('ROLESANYWHERE_TEST', undefined);
  expect(env('ROLESANYWHERE_TEST')).toBeUndefined();
});
