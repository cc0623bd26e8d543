import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  commandFile,
  commandWords,
  sessionWords,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { writePki } from '../support/pki-files.ts';
import type { PkiFiles } from '../support/pki-files.ts';
import { runtimes } from '../support/runtimes/runtimes.mjs';
import packageJson from '../../package.json' with { type: 'json' };

const run = promisify(execFile);

const sessionJson = {
  Version: 1,
  AccessKeyId: expect.stringMatching(/^ASIA/) as string,
  SecretAccessKey: expect.any(String) as string,
  SessionToken: expect.any(String) as string,
  Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
};

describe.each(runtimes())('the built command on Node.js $name', ({ name, path }) => {
  let directory: string;
  let pki: PkiFiles;
  let emulator: EmulatorProcess;
  const env = { PATH: process.env['PATH'] };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'runtimes '));
    pki = await writePki(directory);
    const tls = ['--tls-certificate', pki.server.certificate, '--tls-key', pki.server.key];
    emulator = await startEmulatorProcess(
      ['--trust-anchor', pki.ca, ...tls],
      commandWords(commandFile, path),
    );
  });

  afterAll(async () => {
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is really that runtime', async () => {
    const { stdout } = await run(path, ['--version'], { env });
    expect(stdout.trim()).toBe(`v${name}`);
  });

  it('says its version, and nothing on stderr', async () => {
    expect(await run(path, [commandFile, 'version'], { env })).toEqual({
      stdout: `${packageJson.version}\n`,
      stderr: '',
    });
  });

  it.each(['rsa', 'ec'] as const)('opens a session over TLS with an %s key', async (keyType) => {
    const words = [...sessionWords(emulator, pki[keyType]), '--ca-bundle', pki.ca];
    const { stdout, stderr } = await run(path, [commandFile, ...words], { env });
    expect(JSON.parse(stdout)).toEqual(sessionJson);
    expect(stderr).toBe('');
  });

  it('refuses an authority that it was not told of', async () => {
    const failure: unknown = await run(path, [commandFile, ...sessionWords(emulator, pki.ec)], { env }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 5, stdout: '' });
  });

  it('explains itself', async () => {
    const { stdout } = await run(path, [commandFile, 'credential-process', '--help'], { env });
    expect(stdout).toContain('--trust-anchor-arn');
  });
});
