import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { hostTarget } from '../../scripts/bun/runtime.mjs';
import { executableFile } from '../support/executable.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);
const name = `rolesanywhere-${hostTarget()}`;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build '));
  // Onto another file system than the source's, as /tmp often is one.
  const script = `
    mkdir "$1/other" && mount -t tmpfs tmpfs "$1/other" &&
    "$0" scripts/executable.mjs --output "$1/other" &&
    cp -p "$1/other"/* "$1" && umount "$1/other" && rmdir "$1/other"`;
  await run(requirePart('unshare'), ['-rm', 'sh', '-c', script, process.execPath, folder]);
});
afterAll(() => rm(folder, { recursive: true }));

const digest = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

it('is the same, byte by byte, when it is built again', async () => {
  expect(basename(executableFile)).toBe(name);
  expect(await digest(join(folder, name))).toBe(await digest(executableFile));
});

it('lies in the order of a run, as recorded in scripts/bun/bytecode.order', async () => {
  const now = `${folder}.order`;
  await run(process.execPath, ['scripts/executable.mjs', '--record-order', now]);
  const functions = async (file: string) => (await readFile(file, 'utf8')).match(/^F .*$/gm) ?? [];
  const [used, known] = [await functions(now), new Set(await functions('scripts/bun/bytecode.order'))];
  await rm(now);
  expect(used.length).toBeGreaterThan(200);
  // Some change every week, and what is not in it only lies further behind.
  const share = used.filter((name) => known.has(name)).length / used.length;
  expect(share, 'it is time for: npm run build:exe -- --record-order').toBeGreaterThan(0.85);
});

it('comes with its sums, which sha256sum checks', async () => {
  expect(await readdir(folder)).toEqual([
    'SHA256SUMS',
    'rolesanywhere-LICENSES.txt',
    name,
    `${name}.cdx.json`,
  ]);
  const { stdout } = await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder });
  expect(stdout.trim().split('\n')).toHaveLength(3);
});

it('comes with a bill of its materials, and with their licences', async () => {
  const bill = JSON.parse(await readFile(join(folder, `${name}.cdx.json`), 'utf8')) as {
    bomFormat: string;
    metadata: { component: { version: string; hashes: [{ content: string }] } };
    components: { name: string; version: string; purl: string; licenses: [{ expression: string }] }[];
  };
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
  expect(bill.metadata.component.version).toBe(packageJson.version);
  expect(bill.metadata.component.hashes[0].content).toBe(await digest(join(folder, name)));
  const names = bill.components.map((component) => component.name);
  const { yargs, '@peculiar/x509': x509, '@noble/post-quantum': noble } = packageJson.dependencies;
  const versions = Object.fromEntries(
    bill.components.map((component) => [component.name, component.version]),
  );
  expect(versions).toMatchObject({ yargs, '@peculiar/x509': x509, '@noble/post-quantum': noble });
  expect(names).toEqual(
    expect.arrayContaining(['pkcs11js', `@oven/bun-${hostTarget().replace('arm64', 'aarch64')}`]),
  );
  // The runtime has its own.
  expect(names).not.toContain('undici');
  expect(names).not.toContain('koffi');
  const licences = await readFile(join(folder, 'rolesanywhere-LICENSES.txt'), 'utf8');
  for (const { name, version } of bill.components) {
    expect(licences).toContain(name.startsWith('@oven/') ? `Bun ${version}` : `${name} ${version}`);
  }
  expect(licences).toContain('LGPL-2');
});

it('names the addon of PKCS#11 in the bill of those alone that have it', async () => {
  const target = hostTarget() === 'linux-arm64-musl' ? 'linux-x64-musl' : 'linux-arm64-musl';
  const other = join(folder, 'other');
  await run(process.execPath, ['scripts/executable.mjs', target, '--output', other]);
  const bill = await readFile(join(other, `rolesanywhere-${target}.cdx.json`), 'utf8');
  expect(bill).toContain('@peculiar/x509');
  expect(bill).not.toContain('pkcs11js');
  // One text for all of them.
  const licences = 'rolesanywhere-LICENSES.txt';
  expect(await digest(join(other, licences))).toBe(await digest(join(folder, licences)));
});

it('holds no path of the machine that built it', async () => {
  const bytes = await readFile(join(folder, name));
  for (const path of [process.cwd(), folder]) expect(bytes.includes(path)).toBe(false);
});

it('names the targets that there are, for one that there is not', async () => {
  const failure: unknown = await run(process.execPath, [
    'scripts/executable.mjs',
    'amiga-68k',
    '--output',
    folder,
  ]).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 1, stderr: expect.stringContaining('linux-arm64-musl') as string });
});
