import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { commandNames, commands } from '../../src/cli/options.ts';
import type { Option } from '../../src/cli/options.ts';
import { asRoot } from '../support/as-root.ts';
import { runProgram } from '../support/command.ts';
import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import { startServe } from '../support/serve-process.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);
const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
const file = resolve('dist', `rolesanywhere_${packageJson.version}_${architecture}.deb`);
const unit = await readFile('scripts/debian/rolesanywhere.service', 'utf8');
const settings = join('etc', 'default', 'rolesanywhere');

describe('the package for Debian', () => {
  let folder: string;
  /** Of a small system: a shell and a record of what systemd is told, and nothing else. */
  let root: string;

  // The C library is not this package's to test: it runs on the machine's.
  const dpkg = (...words: string[]) =>
    asRoot([requirePart('dpkg'), `--root=${root}`, '--force-depends', '--force-confold', ...words]);
  const told = async (): Promise<string[]> =>
    (await readFile(join(root, 'systemctl.log'), 'utf8')).trim().split('\n');

  beforeAll(async () => {
    await run('npm', ['run', 'build:deb']);
    folder = await mkdtemp(join(tmpdir(), 'debian package '));
    root = join(folder, 'root');
    for (const directory of ['bin', 'run/systemd/system', 'var/lib/dpkg/info', 'var/lib/dpkg/updates']) {
      await mkdir(join(root, directory), { recursive: true });
    }
    await writeFile(join(root, 'var/lib/dpkg/status'), '');
    await cp(requirePart('busybox'), join(root, 'bin', 'busybox'));
    for (const name of ['sh', 'kill']) await symlink('busybox', join(root, 'bin', name));
    const systemctl = '#!/bin/sh\necho "$*" >> /systemctl.log\n';
    await writeFile(join(root, 'bin', 'systemctl'), systemctl, { mode: 0o755 });
    await dpkg('--install', file);
  });

  afterAll(() => asRoot(['rm', '-r', folder]));

  it.each(['rolesanywhere', 'aws_signing_helper'])('brings %s, and it runs', async (name) => {
    expect(await runProgram(join(root, 'usr', 'bin', name), ['version'])).toMatchObject({
      code: 0,
      stdout: `${packageJson.version}\n`,
      stderr: '',
    });
  });

  it('has a folder for the certificate and the key', async () => {
    expect(await readdir(join(root, 'etc', 'rolesanywhere'))).toEqual([]);
  });

  it('has a unit that systemd understands, and that the pages show', async () => {
    // What the unit stands between; the machine's own is newer or older than it needs to be.
    await asRoot(['sh', '-c', `cp /usr/lib/systemd/system/*.target '${root}/usr/lib/systemd/system/'`]);
    const { stdout, stderr } = await asRoot([
      requirePart('systemdAnalyze'),
      `--root=${root}`,
      '--man=no',
      'verify',
      join(root, 'usr', 'lib', 'systemd', 'system', 'rolesanywhere.service'),
    ]);
    expect(`${stdout}${stderr}`).toBe('');
    expect(await readFile('docs/operations.md', 'utf8')).toContain(`\`\`\`ini\n${unit}\`\`\``);
  });

  it('serves by the words of its unit, and asks the kernel for nothing that the unit forbids', async () => {
    const emulator = await startEmulatorProcess(
      ['--pki', folder],
      [join(root, 'usr', 'bin', 'rolesanywhere')],
    );
    try {
      const files = { certificate: '', key: '' };
      const options = sessionWords(emulator, files)
        .slice(1)
        .filter((word) => !/^(|--certificate|--private-key)$/.test(word));
      const [, line = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
      const words = line.split(' ').flatMap((word) => {
        if (word === '$OPTIONS') return [...options, '--port', '0'];
        return word.replace('/etc/rolesanywhere/', `${folder}/`).replace('${CREDENTIALS_DIRECTORY}', folder);
      });
      // What the systemd of Debian 11 and of Ubuntu 22.04 knows (247 and 249): %d is of 251.
      expect(words.join(' ')).not.toContain('%');
      const [program = '', command, ...rest] = words;
      expect([program, command]).toEqual(['/usr/bin/rolesanywhere', 'serve']);
      const trace = join(folder, 'trace');
      const launcher = [requirePart('strace'), '-D', '-f', '-qq', '-o', trace];
      await using serve = await startServe(rest, { launcher, command: [join(root, program)] });
      const token = await fetch(`${serve.name}/latest/api/token`, {
        method: 'PUT',
        headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' },
      });
      expect(token.status).toBe(200);
      await serve.end();
      const calls = await readFile(trace, 'utf8');
      const allowed = await systemCalls('@system-service');
      const asked = new Set([...calls.matchAll(/^\d+ +(\w+)\(/gm)].map(([, name = '']) => name));
      expect(asked.size).toBeGreaterThan(20);
      expect([...asked].filter((name) => !allowed.has(name))).toEqual([]);
      const families = [...calls.matchAll(/ socket\((\w+)/g)].map(([, name = '']) => name);
      const [, may = ''] = /^RestrictAddressFamilies=(.*)$/m.exec(unit) ?? [];
      expect([...new Set(families)].filter((name) => !may.split(' ').includes(name))).toEqual([]);
    } finally {
      await emulator.close();
    }
  });

  /** What a set of systemd's holds, and the sets within it. */
  const systemCalls = async (set: string): Promise<Set<string>> => {
    const { stdout } = await run(requirePart('systemdAnalyze'), ['syscall-filter', set]);
    const names = [...stdout.matchAll(/^ {4}([@\w-]+)$/gm)].map(([, name = '']) => name);
    const sets = await Promise.all(names.filter((name) => name.startsWith('@')).map(systemCalls));
    return new Set([...names, ...sets.flatMap((inner) => [...inner])]);
  };

  it('has a manual page, in order, of every command and option', async () => {
    const pages = join(root, 'usr', 'share', 'man');
    const page = join(pages, 'man1', 'aws_signing_helper.1.gz');
    const lint: unknown = await run(requirePart('mandoc'), ['-T', 'lint', '-W', 'warning', page]).catch(
      (error: unknown) => error,
    );
    // It has no date: the same source, the same bytes.
    expect(lint).toMatchObject({ stdout: expect.stringMatching(/^.*missing date.*\n$/) as string });
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', MANWIDTH: '200' };
    const words = ['--warnings', '--no-hyphenation', '-M', pages, 'aws_signing_helper'];
    const { code, stdout, stderr } = await runProgram(requirePart('man'), words, { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of commandNames) {
      expect(stdout).toMatch(new RegExp(`^   ${name}\\b`, 'm'));
      const { options }: { options: Readonly<Record<string, Option>> } = commands[name];
      for (const [option, { later }] of Object.entries(options)) {
        if (later === undefined) expect(stdout).toMatch(new RegExp(`^ +--${option}\\b`, 'm'));
      }
    }
    expect(stdout).toContain('AWS_CA_BUNDLE');
    expect(stdout).not.toMatch(/\]\(|`|\\\*/);
  });

  it('keeps the settings through an upgrade, and goes on with what ran', async () => {
    await asRoot(['sh', '-c', `echo OPTIONS=ours > '${join(root, settings)}'`]);
    const before = (await told()).length;
    await dpkg('--install', file);
    expect(await readFile(join(root, settings), 'utf8')).toBe('OPTIONS=ours\n');
    expect((await told()).slice(before)).toEqual(['daemon-reload', 'try-restart rolesanywhere.service']);
  });

  it('is installed all the same where the service does not start again', async () => {
    const systemctl = join(root, 'bin', 'systemctl');
    const working = await readFile(systemctl, 'utf8');
    await asRoot(['sh', '-c', `echo 'exit 1' >> '${systemctl}'`]);
    try {
      await dpkg('--install', file);
      await dpkg('--remove', 'rolesanywhere');
      await dpkg('--install', file);
    } finally {
      await asRoot(['sh', '-c', `printf %s "$0" > '${systemctl}'`, working]);
    }
    const { stdout } = await dpkg('--status', 'rolesanywhere');
    expect(stdout).toContain('Status: install ok installed');
  });

  it('is the same, byte by byte, when it is built again by somebody else', async () => {
    const digest = async () =>
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex');
    const before = await digest();
    await run('/bin/sh', ['-c', 'umask 077 && exec "$0" scripts/deb.mjs', process.execPath]);
    expect(await digest()).toBe(before);
  });

  it('stops when it is removed, and leaves nothing when it is purged', async () => {
    const before = (await told()).length;
    await dpkg('--remove', 'rolesanywhere');
    expect((await told()).slice(before)).toEqual(['disable --now rolesanywhere.service', 'daemon-reload']);
    expect(existsSync(join(root, settings))).toBe(true);
    await dpkg('--purge', 'rolesanywhere');
    const left = (await readdir(root, { recursive: true })).filter((name) => name.includes('rolesanywhere'));
    expect(left).toEqual([]);
  });
});
