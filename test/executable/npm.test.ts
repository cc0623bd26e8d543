import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { hostTarget } from '../../scripts/bun/runtime.mjs';
import { runProgram } from '../support/command.ts';
import type { RunOptions } from '../support/command.ts';
import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);
const { version } = packageJson;
const target = hostTarget();
const platformPackage = `@rolesanywhere/${target}`;

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly scripts?: unknown;
}

const readManifest = async (tarball: string): Promise<Manifest> =>
  JSON.parse((await run('tar', ['-xzOf', tarball, 'package/package.json'])).stdout) as Manifest;

/** A registry that has these packages and no others. */
const startRegistry = async (tarballs: Readonly<Record<string, string>>) => {
  const packages = new Map<string, unknown>();
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '').slice(1));
    const tarball = tarballs[name.replace(/\.tgz$/, '')];
    const answer = async (): Promise<string | Uint8Array> => {
      if (tarball === undefined) throw new Error('it has no such package');
      if (name.endsWith('.tgz')) return readFile(tarball);
      return JSON.stringify(packages.get(name));
    };
    answer().then(
      (body) => response.end(body),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (const [name, tarball] of Object.entries(tarballs)) {
    const hash = createHash('sha512').update(await readFile(tarball));
    const dist = { tarball: `${url}${name}.tgz`, integrity: `sha512-${hash.digest('base64')}` };
    const versions = { [version]: { ...(await readManifest(tarball)), dist } };
    packages.set(name, { name, 'dist-tags': { latest: version }, versions });
  }
  return { url, close: () => server.close() };
};

// What is published, installed as users do.
describe('the packages for npm', () => {
  let folder: string;
  let command: string;
  let platform: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'npm packages '));
    await run('npm', ['run', 'build:npm']);
    command = resolve('dist', 'npm', `rolesanywhere-${version}.tgz`);
    platform = resolve('dist', 'npm', `rolesanywhere-${target}-${version}.tgz`);
  });
  afterAll(() => rm(folder, { recursive: true }));

  /**
   * Has npm install it, without install scripts: npm 12 runs none.
   *
   * @returns where the commands are
   */
  const install = async (name: string, published: Readonly<Record<string, string>>, ...words: string[]) => {
    const prefix = join(folder, name);
    await mkdir(prefix);
    const registry = await startRegistry(published);
    try {
      // Dependencies of other scopes are fetched from where they always are.
      const from = `--@rolesanywhere:registry=${registry.url}`;
      const cache = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
      await run('npm', ['install', '--prefix', prefix, from, ...cache, ...words, command]);
    } finally {
      registry.close();
    }
    return join(prefix, words.includes('--global') ? 'bin' : join('node_modules', '.bin'));
  };

  /** Runs it where `node` only tells that it was called: the executable needs none, and all else would show. */
  const start = async (file: string, words: readonly string[], options: RunOptions = {}) => {
    const path = join(folder, 'path');
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'node'), '#!/bin/sh\necho "Node.js: $*"\n', { mode: 0o755 });
    return runProgram(file, words, { ...options, env: { PATH: `${path}:/usr/bin:/bin`, ...options.env } });
  };

  it('ask for the platforms only where they are published', async () => {
    const { bin, optionalDependencies, scripts } = await readManifest(command);
    expect(scripts).toBeUndefined();
    expect(optionalDependencies).toEqual({ ...packageJson.optionalDependencies, [platformPackage]: version });
    expect(packageJson.optionalDependencies).not.toHaveProperty(platformPackage);
    expect(bin).toEqual({
      rolesanywhere: 'bin/launcher.sh',
      aws_signing_helper: 'bin/launcher.sh',
      'rolesanywhere-node': 'bin/rolesanywhere.js',
    });
  });

  describe('where npm finds the executable', () => {
    let bin: string;
    beforeAll(async () => {
      bin = await install('with executable', { [platformPackage]: platform }, '--global');
    });

    it.each(['rolesanywhere', 'aws_signing_helper'])('start it as %s', async (name) => {
      const ran = { code: 0, stdout: `${version}\n`, stderr: '' };
      expect(await start(join(bin, name), ['version'])).toMatchObject(ran);
      expect(await start(`./${name}`, ['version'], { cwd: bin })).toMatchObject(ran);
      const env = { PATH: `${bin}:/usr/bin:/bin` };
      expect(await start('/bin/sh', ['-c', `${name} version`], { env })).toMatchObject(ran);
    });

    it.each([['/bin/sh'], [requirePart('bash'), '--posix'], [requirePart('busybox'), 'sh']])(
      'start it by %s, which reads the file itself',
      async (shell, ...words) => {
        const { code, stdout } = await start(shell, [...words, 'rolesanywhere', 'version'], { cwd: bin });
        expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
      },
    );

    it('start it through links of any kind, from anywhere', async () => {
      const elsewhere = join(folder, 'else where');
      await mkdir(elsewhere);
      await symlink(join(bin, 'rolesanywhere'), join(elsewhere, 'absolute'));
      await symlink(relative(elsewhere, join(bin, 'rolesanywhere')), join(elsewhere, 'relative'));
      await symlink('relative', join(elsewhere, 'chain'));
      await symlink(elsewhere, join(folder, 'folder'));
      for (const file of ['absolute', 'relative', 'chain'].map((name) => join(folder, 'folder', name))) {
        expect(await start(file, ['version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
      }
    });

    it('start it beside them, where packages are shared', async () => {
      const shared = join(folder, 'shared', 'node_modules');
      const own = join(bin, '..', 'lib', 'node_modules', 'rolesanywhere');
      await mkdir(join(shared, 'rolesanywhere', 'bin'), { recursive: true });
      await cp(join(own, 'bin'), join(shared, 'rolesanywhere', 'bin'), { recursive: true });
      await symlink(join(own, 'node_modules', '@rolesanywhere'), join(shared, '@rolesanywhere'));
      const file = join(shared, 'rolesanywhere', 'bin', 'launcher.sh');
      expect(await start(file, ['version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
    });

    it('hand on words, standard input, descriptors and the exit code', async () => {
      const file = join(bin, 'rolesanywhere');
      const { certificatePem, privateKeyPem } = issue(makeAuthority());
      await writeFile(join(folder, 'leaf.key'), privateKeyPem);
      const descriptor = openSync(join(folder, 'leaf.key'), 'r');
      const words = ['sign-string', '--format', 'text', '--certificate', '-', '--private-key', 'fd:3'];
      const signed = await start(file, words, { input: certificatePem, descriptors: [descriptor] });
      closeSync(descriptor);
      expect(signed).toMatchObject({ code: 0, stderr: '' });
      expect(signed.stdout).toMatch(/^[0-9a-f]{100,}$/);
      const wrong = await start(file, ['version', "'$HOME *"]);
      expect(wrong).toMatchObject({ code: 2, stdout: '' });
      expect(wrong.stderr).toContain("'$HOME *");
    });

    it('open a session', async () => {
      const emulator = await startEmulatorProcess(
        ['--pki', join(folder, 'pki')],
        [join(bin, 'rolesanywhere')],
      );
      try {
        const files = { certificate: join(folder, 'pki', 'leaf.pem'), key: join(folder, 'pki', 'leaf.key') };
        const { code, stdout } = await start(join(bin, 'rolesanywhere'), sessionWords(emulator, files));
        expect(code).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
      } finally {
        await emulator.close();
      }
    });

    it('start Node.js where that is asked for by its name', async () => {
      const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };
      const { stdout } = await runProgram(join(bin, 'rolesanywhere-node'), ['version'], { env });
      expect(stdout).toBe(`${version}\n`);
    });
  });

  it.each<[string, boolean, string[]]>([
    ['is none for the platform', false, ['--global']],
    // npm heeds this in projects alone.
    ['shall be no optional packages', true, ['--omit=optional']],
  ])('run on Node.js where there %s', async (name, published, words) => {
    const bin = await install(name, published ? { [platformPackage]: platform } : {}, ...words);
    for (const command of ['rolesanywhere', 'aws_signing_helper']) {
      const file = join(bin, command);
      const { stdout } = await start(file, ['version', "it's"]);
      expect(stdout).toMatch(/^Node\.js: .*\/bin\/rolesanywhere\.js version it's\n$/);
      const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };
      expect(await start(file, ['version'], { env })).toMatchObject({ code: 0, stdout: `${version}\n` });
    }
  });

  it.each(['windows-x64', 'linux-x64-baseline'])('leave out what npm cannot choose: %s', async (name) => {
    const failure: unknown = await run(process.execPath, ['scripts/npm.mjs', name]).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringContaining(name) as string });
  });

  it('are the same, byte by byte, when they are packed again', async () => {
    const digests = () =>
      Promise.all(
        [command, platform].map(async (file) =>
          createHash('sha512')
            .update(await readFile(file))
            .digest('hex'),
        ),
      );
    const before = await digests();
    await run(process.execPath, ['scripts/npm.mjs']);
    expect(await digests()).toEqual(before);
  });
});
