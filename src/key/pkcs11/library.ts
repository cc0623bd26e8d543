import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { RolesAnywhereError } from '../../errors.ts';
import { arch, platform } from '../../runtime/platform.ts';
import type { Pkcs11Uri } from './uri.ts';

/** What the search for a module asks of the machine; tests put other machines in its place. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  readonly isFile: (path: string) => boolean;
  readonly isDirectory: (path: string) => boolean;
  readonly read: (path: string) => string;
}

const thisMachine: Machine = {
  platform,
  arch,
  isFile: (path) => existsSync(path) && !statSync(path).isDirectory(),
  isDirectory: (path) => existsSync(path) && statSync(path).isDirectory(),
  read: (path) => readFileSync(path, 'utf8'),
};

/** Debian's names of its library directories. */
const triplets: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  ppc64: 'powerpc64le-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  s390x: 's390x-linux-gnu',
};

/**
 * The path of the PKCS #11 module to load: `--pkcs11-lib` decides, then the URI's module-path and module-name, and
 * without any of them p11-kit's proxy, which brings together every module that the system knows.
 *
 * @throws RolesAnywhereError PKCS11_UNAVAILABLE, INVALID_ARGUMENT
 */
export function findLibrary(
  option: string | undefined,
  uri: Pkcs11Uri,
  machine: Machine = thisMachine,
): string {
  if (option !== undefined) return option.includes('/') ? option : (findFile([option], machine) ?? option);
  const { modulePath, moduleName } = uri;
  if (moduleName !== undefined && /[/\\]/.test(moduleName)) {
    throw new RolesAnywhereError(
      'INVALID_ARGUMENT',
      'module-name in a PKCS#11 URI is a plain name, not a path',
      {
        hint: 'use module-path',
      },
    );
  }
  if (modulePath !== undefined) return findByPath(modulePath, moduleName, machine);
  if (moduleName !== undefined) return findByName(moduleName, machine);
  // Where none of the usual places has it, the dynamic loader may know another.
  const proxy = `p11-kit-proxy${extension(machine)}`;
  return (
    libraryDirectories(machine)
      .map((directory) => join(directory, proxy))
      .find(machine.isFile) ?? proxy
  );
}

/** Whether this is what `findLibrary` takes by itself: then the cure for its absence is to install it. */
export function isDefaultLibrary(path: string): boolean {
  return basename(path).startsWith('p11-kit-proxy.');
}

function findByPath(path: string, name: string | undefined, machine: Machine): string {
  // A relative path is relative to the directory of modules, as in p11-kit's configuration (pkcs11.conf, "module").
  const candidates = isAbsolute(path)
    ? [path]
    : moduleDirectories(machine).map((directory) => join(directory, path));
  const found = candidates
    .map((candidate) => (machine.isDirectory(candidate) ? inDirectory(candidate, name, machine) : candidate))
    .find((candidate) => candidate !== undefined && machine.isFile(candidate));
  if (found === undefined) throw notFound(`module-path=${path}`, candidates);
  return found;
}

/** RFC 7512, section 2.3: where module-path is a directory, module-name says which module in it. */
function inDirectory(directory: string, name: string | undefined, machine: Machine): string | undefined {
  return name === undefined
    ? undefined
    : fileNames(name, machine)
        .map((file) => join(directory, file))
        .find(machine.isFile);
}

/** A module's name is that of its p11-kit configuration file, or of its file without prefix and suffix. */
function findByName(name: string, machine: Machine): string {
  for (const directory of configurationDirectories(machine)) {
    const file = join(directory, `${name}.module`);
    if (!machine.isFile(file)) continue;
    const path = /^\s*module:\s*(.+?)\s*$/m.exec(machine.read(file))?.[1];
    if (path !== undefined) return findByPath(path, undefined, machine);
  }
  const found = findFile(fileNames(name, machine), machine);
  if (found === undefined) throw notFound(`module-name=${name}`, searchDirectories(machine));
  return found;
}

function findFile(names: readonly string[], machine: Machine): string | undefined {
  return searchDirectories(machine)
    .flatMap((directory) => names.map((name) => join(directory, name)))
    .find(machine.isFile);
}

function fileNames(name: string, machine: Machine): readonly string[] {
  const file = `${name}${extension(machine)}`;
  return [file, `lib${file}`];
}

function extension({ platform: system }: Machine): string {
  return system === 'darwin' ? '.dylib' : system === 'win32' ? '.dll' : '.so';
}

/** Debian; Fedora; Alpine and Arch; built by hand. Homebrew on either processor and MacPorts. */
function libraryDirectories({ platform: system, arch: processor }: Machine): readonly string[] {
  if (system === 'darwin') return ['/opt/homebrew/lib', '/usr/local/lib', '/opt/local/lib'];
  if (system === 'win32') return [];
  const triplet = triplets[processor];
  const debian = triplet === undefined ? [] : [join('/usr/lib', triplet)];
  return [...debian, '/usr/lib64', '/usr/lib', '/usr/local/lib'];
}

function moduleDirectories(machine: Machine): readonly string[] {
  return libraryDirectories(machine).map((directory) => join(directory, 'pkcs11'));
}

function searchDirectories(machine: Machine): readonly string[] {
  return [...moduleDirectories(machine), ...libraryDirectories(machine)];
}

function configurationDirectories(machine: Machine): readonly string[] {
  const shared = ['/etc/pkcs11/modules', '/usr/share/p11-kit/modules'];
  if (machine.platform !== 'darwin') return shared;
  return libraryDirectories(machine)
    .map(dirname)
    .flatMap((prefix) => [join(prefix, 'etc/pkcs11/modules'), join(prefix, 'share/p11-kit/modules')]);
}

function notFound(what: string, places: readonly string[]): RolesAnywhereError {
  return new RolesAnywhereError(
    'PKCS11_UNAVAILABLE',
    `no PKCS#11 module for ${what} (looked at ${places.join(', ')})`,
    {
      hint: 'name the module file with --pkcs11-lib',
    },
  );
}
