import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { fetchBun, hostTarget } from '../../scripts/bun/runtime.mjs';
import { run, runProgram } from '../support/command.ts';
import {
  commandFile,
  commandWords,
  sessionWords,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { writePki } from '../support/pki-files.ts';
import type { PkiFiles } from '../support/pki-files.ts';
import { requirePart } from '../support/system-parts.ts';

// What surrounds the executable must have no say over the code that runs in it.
let folder: string;
let pki: PkiFiles;
let emulator: EmulatorProcess;
const file = (name: string) => join(folder, name);
const evil = "require('fs').writeSync(2, 'EVIL'); process.exit(66);";
const version = { code: 0, signal: null, stdout: `${packageJson.version}\n`, stderr: '' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'executable '));
  pki = await writePki(folder);
  const tls = ['--tls-certificate', pki.server.certificate, '--tls-key', pki.server.key];
  emulator = await startEmulatorProcess(['--trust-anchor', pki.ca, ...tls]);
  await writeFile(file('evil.js'), evil);
});

afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

const session = () => [...sessionWords(emulator, pki.ec), '--ca-bundle', pki.ca];

describe('the environment', () => {
  it.each([
    ['BUN_BE_BUN', '1'],
    ['BUN_OPTIONS', '--preload ./evil.js'],
    ['BUN_OPTIONS', '--print process.env'],
    ['BUN_INSPECT', 'ws://127.0.0.1:0/x'],
    ['BUN_INSPECT_PRELOAD', './evil.js'],
    ['NODE_OPTIONS', '--require ./evil.js'],
    ['NODE_OPTIONS', '--import ./evil.js'],
    ['NODE_PATH', '.'],
    ['NODE_REPL_EXTERNAL_MODULE', './evil.js'],
  ])('%s=%s changes nothing', async (name, value) => {
    const outcome = await run(['version'], { env: { [name]: value }, cwd: folder });
    expect(outcome).toEqual(version);
  });

  it('none of the variables that Bun knows by its own name changes anything', async () => {
    const bun = await readFile((await fetchBun(hostTarget())).path, 'latin1');
    // Some stand in it one behind the other.
    const names = [...new Set(bun.match(/BUN_(?:(?!BUN_)[A-Z\d_])+/g))];
    expect(names.length).toBeGreaterThan(50);
    for (const value of ['0', '1', './evil.js']) {
      const env = Object.fromEntries(names.map((name) => [name, value]));
      expect(await run(['version'], { env, cwd: folder })).toEqual(version);
      const { code, stderr } = await run(session(), { env, cwd: folder });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
  });

  it.each([
    ['dumpOptions', '1'],
    ['functionOverrides', './overrides'],
    ['configFile', './overrides'],
    ['noSuchOption', '1'],
  ])('BUN_JSC_%s=%s says nothing to the engine', async (option, value) => {
    // Bodies for functions; this one is an error.
    await writeFile(file('overrides'), 'override !!{ }');
    const env = { [`BUN_JSC_${option}`]: value };
    expect(await run(['version'], { env, cwd: folder })).toEqual(version);
    const bun = (await fetchBun(hostTarget())).path;
    if (option === 'functionOverrides') {
      const { stdout, stderr } = await runProgram(bun, ['-e', '0'], { env, cwd: folder });
      expect(stdout + stderr).toContain('functionOverrides');
    }
  });

  it('cannot make it show what it sends', async () => {
    const { code, stderr } = await run(session(), { env: { BUN_CONFIG_VERBOSE_FETCH: 'curl' } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('cannot turn the verification of certificates off', async () => {
    const words = sessionWords(emulator, pki.ec);
    const { code, stdout } = await run(words, { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } });
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
  });

  it('cannot send it through a proxy that its own rules do not take', async () => {
    const proxy = 'http://127.0.0.1:1';
    const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];
    const env = Object.fromEntries(names.map((name) => [name, proxy]));
    expect((await run(session(), { env })).code).toBe(0);
    expect((await run([...session(), '--with-proxy'], { env })).code).toBe(5);
  });
});

describe('the working directory', () => {
  beforeAll(async () => {
    await writeFile(file('.env'), `AWS_ENDPOINT_URL_ROLESANYWHERE=http://evil.invalid\nBUN_BE_BUN=1\n`);
    await writeFile(file('.env.local'), 'BUN_OPTIONS=--preload ./evil.js\n');
    await writeFile(file('bunfig.toml'), 'preload = ["./evil.js"]\n[run]\npreload = ["./evil.js"]\n');
    await writeFile(file('package.json'), '{"name":"evil","main":"evil.js","type":"module"}');
    await writeFile(file('tsconfig.json'), '{"compilerOptions":{"paths":{"node:fs":["./evil.js"]}}}');
    await mkdir(file('node_modules/yargs'), { recursive: true });
    await writeFile(file('node_modules/yargs/index.js'), evil);
  });

  it('has no say', async () => {
    expect(await run(['version'], { cwd: folder })).toEqual(version);
    expect(await run(['help'], { cwd: folder })).toMatchObject({ code: 0, stderr: '' });
    expect(await run(session(), { cwd: folder })).toMatchObject({ code: 0, stderr: '' });
  });

  it('has none of its files opened', async () => {
    const strace = [requirePart('strace'), '-f', '-qq', '-e', 'trace=%file', '-o', file('calls')];
    const [program, ...words] = [...strace, ...commandWords(), 'version'];
    expect((await runProgram(program, words, { cwd: folder })).code).toBe(0);
    const calls = await readFile(file('calls'), 'utf8');
    expect(calls).toContain('execve(');
    for (const name of ['.env', 'bunfig', 'tsconfig', 'package.json', 'node_modules', 'evil']) {
      expect(calls).not.toContain(name);
    }
  });
});

it('does not start in a directory that has been removed, and does nothing else there', async () => {
  const script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"';
  const line = ['-c', script, file('removed'), ...commandWords(), ...session()];
  const { code, stdout, stderr } = await runProgram('/bin/sh', line);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('working directory');
});

describe('its name', () => {
  it.each(['bun', 'bunx', 'node', 'aws_signing_helper'])('%s changes nothing', async (name) => {
    const as = file(name);
    await symlink(commandFile, as);
    expect(await run(['version'], { as })).toEqual(version);
    expect((await run(['build'], { as })).code).toBe(2);
  });
});

it('tells nobody of a crash, not even when it is asked to', async () => {
  const reports = file('reports');
  const curl = join(folder, 'curl');
  await writeFile(curl, `#!/bin/sh\necho "$@" >> '${reports}'\n`, { mode: 0o755 });
  await writeFile(file('wait.js'), 'setTimeout(() => undefined, 20_000)');
  const env = {
    PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    BUN_ENABLE_CRASH_REPORTING: '1',
    BUN_CRASH_REPORT_URL: 'http://127.0.0.1:9',
  };
  const crash = (...line: readonly string[]) =>
    runProgram(requirePart('timeout'), ['-s', 'SEGV', '1', ...line], { env });
  expect((await crash(...commandWords(), 'emulator')).stderr).toContain('Segmentation fault');
  expect(existsSync(reports)).toBe(false);
  // Bun itself would have.
  await crash((await fetchBun(hostTarget())).path, file('wait.js'));
  await expect.poll(() => existsSync(reports)).toBe(true);
});

it('takes no word of the command line for Bun', async () => {
  for (const words of [
    ['-e', '1'],
    ['--print', '1'],
    ['run', './evil.js'],
    ['./evil.js'],
    ['x'],
    ['--revision'],
  ]) {
    expect(await run(words, { cwd: folder })).toMatchObject({ code: 2, stdout: '' });
  }
  expect(await run(['--inspect', 'version'])).toMatchObject({ code: 2, stdout: '' });
});

it('is not the process of a PKCS#11 module for whoever asks', async () => {
  expect(await run(['pkcs11-host', '1'])).toMatchObject({ code: 2, stdout: '' });
});
