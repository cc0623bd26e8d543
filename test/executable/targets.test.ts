import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { run, runProgram } from '../support/command.ts';
import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { writePki } from '../support/pki-files.ts';
import type { PkiFiles } from '../support/pki-files.ts';
import { requirePart } from '../support/system-parts.ts';

// Executables for other machines, as far as this one can run them: older processors' as they are, ARM's by an emulator.
const launchers: Readonly<Record<string, () => readonly string[]>> = {
  ...(process.arch === 'x64' && { 'linux-x64-baseline': () => [] }),
  'linux-arm64': () => [requirePart('qemuArm64'), '-L', requirePart('arm64Libraries')],
};

let folder: string;
let pki: PkiFiles;
let emulator: EmulatorProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'targets '));
  const words = ['scripts/executable.mjs', '--output', folder, ...Object.keys(launchers)];
  await promisify(execFile)(process.execPath, words);
  pki = await writePki(folder);
  const tls = ['--tls-certificate', pki.server.certificate, '--tls-key', pki.server.key];
  emulator = await startEmulatorProcess(['--trust-anchor', pki.ca, ...tls]);
});
afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

describe.each(Object.entries(launchers))('%s', (target, launcher) => {
  const runThere = (words: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const [program, ...first] = [...launcher(), join(folder, `rolesanywhere-${target}`)] as const;
    return runProgram(program, [...first, ...words], { env });
  };

  it('says what it is', async () => {
    const { stdout } = await runThere(['--version']);
    expect(stdout).toMatch(`${packageJson.version} (${target}, Bun `);
  });

  it('takes no options of the engine from the environment', async () => {
    const { code, stderr } = await runThere(['version'], { BUN_JSC_noSuchOption: '1' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('signs as the one for this machine does', async () => {
    const words = ['sign-string', '--private-key', pki.rsa.key];
    const there = await runThere(words);
    expect(there.code).toBe(0);
    expect(there).toEqual(await run(words));
  });

  it.each(['rsa', 'ec'] as const)('opens a session over TLS: %s', async (kind) => {
    const { code, stdout, stderr } = await runThere([
      ...sessionWords(emulator, pki[kind]),
      '--ca-bundle',
      pki.ca,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
  });
});
