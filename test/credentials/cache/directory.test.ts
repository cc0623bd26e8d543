import { afterEach, describe, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../../../src/credentials/cache/directory.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the place of the cache', () => {
  it.each([
    ['/own', '/own', '/xdg', '/home/me'],
    ['/xdg/rolesanywhere', undefined, '/xdg', '/home/me'],
    ['/home/me/.cache/rolesanywhere', undefined, undefined, '/home/me'],
    ['/home/me/.cache/rolesanywhere', undefined, 'relative', '/home/me'],
    [undefined, undefined, 'relative', undefined],
  ])('is %s: ROLESANYWHERE_CACHE_DIR %s, XDG_CACHE_HOME %s, HOME %s', (where, own, xdg, home) => {
    const variables = {
      ROLESANYWHERE_CACHE_DIR: own,
      XDG_CACHE_HOME: xdg,
      HOME: home,
      USERPROFILE: undefined,
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(cacheDirectory()).toBe(where);
  });
});
