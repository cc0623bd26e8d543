import { describe, expect, it } from 'vitest';
import { findLibrary } from '../../../src/key/pkcs11/library.ts';
import type { Machine } from '../../../src/key/pkcs11/library.ts';
import { expectCode } from '../../support/errors.ts';

const machine = (
  files: Readonly<Record<string, string>> | readonly string[],
  { platform = 'linux', arch = 'x64' } = {},
): Machine => {
  const contents: Readonly<Record<string, string>> = Array.isArray(files)
    ? Object.fromEntries((files as readonly string[]).map((file) => [file, '']))
    : (files as Readonly<Record<string, string>>);
  return {
    platform,
    arch,
    isFile: (path) => path in contents,
    isDirectory: (path) => Object.keys(contents).some((file) => file.startsWith(`${path}/`)),
    read: (path) => contents[path] ?? '',
  };
};

describe("p11-kit's proxy, by default", () => {
  it.each([
    ['Debian', '/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so', {}],
    ['Debian on ARM', '/usr/lib/aarch64-linux-gnu/p11-kit-proxy.so', { arch: 'arm64' }],
    ['Fedora', '/usr/lib64/p11-kit-proxy.so', {}],
    ['Alpine', '/usr/lib/p11-kit-proxy.so', {}],
    [
      'macOS on Apple silicon',
      '/opt/homebrew/lib/p11-kit-proxy.dylib',
      { platform: 'darwin', arch: 'arm64' },
    ],
    ['macOS on Intel', '/usr/local/lib/p11-kit-proxy.dylib', { platform: 'darwin' }],
  ])('%s', (_, path, system) => {
    expect(findLibrary(undefined, {}, machine([path], system))).toBe(path);
  });

  it('elsewhere: whatever the dynamic loader finds by that name', () => {
    expect(findLibrary(undefined, {}, machine([]))).toBe('p11-kit-proxy.so');
    expect(findLibrary(undefined, {}, machine([], { platform: 'win32' }))).toBe('p11-kit-proxy.dll');
  });
});

describe('a module that is named', () => {
  const softhsm = '/usr/lib/softhsm/libsofthsm2.so';
  const opensc = '/usr/lib/x86_64-linux-gnu/pkcs11/opensc-pkcs11.so';
  const debian = machine({
    [softhsm]: '',
    [opensc]: '',
    '/usr/share/p11-kit/modules/softhsm2.module': `# comment\nmodule: ${softhsm}\n`,
    '/usr/share/p11-kit/modules/opensc.module': 'module: opensc-pkcs11.so\n',
    '/opt/hsm/libvendor.so': '',
  });

  it('by --pkcs11-lib, whatever the URI says', () => {
    expect(findLibrary('./mine.so', { modulePath: softhsm }, debian)).toBe('./mine.so');
    expect(findLibrary('/any/where.so', {}, debian)).toBe('/any/where.so');
    expect(findLibrary('opensc-pkcs11.so', {}, debian)).toBe(opensc);
    expect(findLibrary('unknown.so', {}, debian)).toBe('unknown.so');
  });

  it('by module-path: absolute, relative to the directory of modules, or a directory with module-name', () => {
    expect(findLibrary(undefined, { modulePath: softhsm }, debian)).toBe(softhsm);
    expect(findLibrary(undefined, { modulePath: 'opensc-pkcs11.so' }, debian)).toBe(opensc);
    expect(findLibrary(undefined, { modulePath: '/opt/hsm', moduleName: 'vendor' }, debian)).toBe(
      '/opt/hsm/libvendor.so',
    );
  });

  it("by module-name: p11-kit's configuration, or a file", () => {
    expect(findLibrary(undefined, { moduleName: 'softhsm2' }, debian)).toBe(softhsm);
    expect(findLibrary(undefined, { moduleName: 'opensc' }, debian)).toBe(opensc);
    expect(findLibrary(undefined, { moduleName: 'opensc-pkcs11' }, debian)).toBe(opensc);
  });

  it.each([
    { modulePath: '/not/there.so' },
    { modulePath: 'not-there.so' },
    { modulePath: '/opt/hsm' },
    { modulePath: '/opt/hsm', moduleName: 'other' },
    { moduleName: 'not-there' },
  ])('%o is not there', async (uri) => {
    await expectCode(() => findLibrary(undefined, uri, debian), 'PKCS11_UNAVAILABLE');
  });

  it('module-name is no path', async () => {
    await expectCode(() => findLibrary(undefined, { moduleName: '../evil' }, debian), 'INVALID_ARGUMENT');
  });
});
