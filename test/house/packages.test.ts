import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
}

interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const readJson = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8'));

describe.each(['.', 'test/support/runtimes'])('the packages of %s', (folder) => {
  const locked = async (): Promise<[string, LockedPackage][]> => {
    const { packages } = (await readJson(`${folder}/package-lock.json`)) as {
      packages: Record<string, LockedPackage>;
    };
    return Object.entries(packages).filter(([path]) => path !== '');
  };

  it('are asked for in exact versions', async () => {
    const manifest = (await readJson(`${folder}/package.json`)) as Manifest;
    const wanted = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    });
    expect(wanted.length).toBeGreaterThan(0);
    expect(wanted.filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('are locked by their hashes, wherever a mirror serves them from', async () => {
    const broken = (await locked()).filter(
      ([, { resolved, integrity }]) => resolved !== undefined || integrity?.startsWith('sha512-') !== true,
    );
    expect(broken).toEqual([]);
  });

  it('run no script of theirs when they are installed, but for pkcs11js, which is compiled', async () => {
    const { allowScripts = {} } = (await readJson(`${folder}/package.json`)) as Manifest;
    const withScripts = (await locked())
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.replace(/^.*node_modules\//, ''));
    const allowed = withScripts.filter((name) => allowScripts[name] !== false);
    expect(allowed.filter((name) => name !== 'pkcs11js')).toEqual([]);
  });
});
