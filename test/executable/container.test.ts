import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { hostTarget } from '../../scripts/bun/runtime.mjs';
import { asRoot } from '../support/as-root.ts';
import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import { executableFile } from '../support/executable.ts';
import { requirePart } from '../support/system-parts.ts';

// Built and started by buildah, which needs no daemon. Its base is made here of nothing but this machine's C library:
// what the published one has beside that, the executable does not need.
describe('the container image', () => {
  let folder: string;
  let container: string;

  const buildah = async (command: string, ...words: string[]): Promise<string> => {
    const store = [
      '--storage-driver',
      'vfs',
      '--root',
      join(folder, 'store'),
      '--runroot',
      join(folder, 'run'),
    ];
    return (await asRoot([requirePart('buildah'), ...store, command, ...words])).stdout.trim();
  };
  const run = (words: readonly string[], ...options: string[]): Promise<string> =>
    buildah('run', '--isolation', 'chroot', ...options, container, '--', '/usr/bin/rolesanywhere', ...words);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'container-'));
    const base = join(folder, 'base');
    const { stdout } = await promisify(execFile)('ldd', [executableFile]);
    for (const [library] of stdout.matchAll(/\/\S+/g)) {
      await mkdir(join(base, dirname(library)), { recursive: true });
      await copyFile(library, join(base, library));
    }
    await writeFile(join(folder, 'Base'), 'FROM scratch\nCOPY . /\n');
    await buildah('build', '--tag', 'localhost/base', '--file', join(folder, 'Base'), base);
    const words = ['--build-arg', 'BASE=localhost/base', '--build-arg', `TARGET=${hostTarget()}`];
    await buildah('build', '--isolation', 'chroot', ...words, '--tag', 'localhost/rolesanywhere', '.');
    container = await buildah('from', 'localhost/rolesanywhere');
  });

  afterAll(() => asRoot(['rm', '-rf', folder]));

  it('starts the command, as nobody', async () => {
    const image = JSON.parse(await buildah('inspect', '--type', 'image', 'localhost/rolesanywhere')) as {
      OCIv1: { config: unknown };
    };
    expect(image.OCIv1.config).toMatchObject({ User: '65532:65532', Entrypoint: ['/usr/bin/rolesanywhere'] });
    expect(await run(['version'])).toBe(packageJson.version);
  });

  it('holds nothing but what it needs', async () => {
    const mount = await buildah('mount', container);
    const { stdout } = await asRoot(['find', join(mount, 'usr'), '-type', 'f', '-printf', '%P %m\n']);
    expect(stdout.trim().split('\n').sort()).toEqual([
      'bin/rolesanywhere 755',
      'share/doc/rolesanywhere/LICENSE 644',
      'share/doc/rolesanywhere/rolesanywhere-LICENSES.txt 644',
    ]);
  });

  it('opens a session with what is mounted, and writes nothing', async () => {
    const pki = join(folder, 'pki');
    const emulator = await startEmulatorProcess(['--pki', pki]);
    try {
      await chmod(folder, 0o755);
      await chmod(pki, 0o755);
      const words = sessionWords(emulator, { certificate: '/pki/leaf.pem', key: '/pki/leaf.key' });
      const volume = ['--volume', `${pki}:/pki:ro`];
      // The key is its owner's alone, who is another.
      await expect(run(words, ...volume)).rejects.toMatchObject({
        stderr: expect.stringContaining('cannot read private key') as string,
      });
      await chmod(join(pki, 'leaf.key'), 0o644);
      expect(JSON.parse(await run(words, ...volume))).toMatchObject({ Version: 1 });
      const mount = await buildah('mount', container);
      expect((await asRoot(['find', mount, '-user', '65532'])).stdout).toBe('');
    } finally {
      await emulator.close();
    }
  });
});
