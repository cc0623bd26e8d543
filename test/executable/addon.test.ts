import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { asRoot } from '../support/as-root.ts';
import { run, runProgram } from '../support/command.ts';
import {
  commandFile,
  commandWords,
  sessionWords,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { startServe } from '../support/serve-process.ts';
import { makeSoftHsm, softHsmModule } from '../support/softhsm.ts';
import { requirePart } from '../support/system-parts.ts';

// The addon of PKCS#11 is unpacked into the temporary directory, where others may write too.
let folder: string;
const words = ['sign-string', '--private-key', 'pkcs11:object=none', '--pkcs11-lib', softHsmModule];
const ask = () => run(words, { env: { TMPDIR: folder } });
const noSuchKey = expect.stringContaining('no private key on any token matches') as string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'addon '));
});
afterEach(() => rm(folder, { recursive: true }));

it('is for its owner alone, and stays one file', async () => {
  for (let time = 0; time < 2; time++) {
    expect((await ask()).stderr).toEqual(noSuchKey);
    const [name = '', ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  }
});

it.each<[string, (addon: string) => Promise<unknown>]>([
  [
    'a link',
    async (addon) => {
      await rename(addon, join(folder, 'elsewhere'));
      await symlink(join(folder, 'elsewhere'), addon);
    },
  ],
  ['of another user', (addon) => asRoot(['chown', '65534', addon])],
  ['of another length', (addon) => writeFile(addon, 'x')],
])('%s in its place is not loaded', async (_, spoil) => {
  await ask();
  const [name = ''] = await readdir(folder);
  const addon = join(folder, name);
  const genuine = await readFile(addon);
  // Its like, but for the code in it: what it would do, if it were loaded, is fail.
  await writeFile(addon, Buffer.alloc(genuine.length));
  await spoil(addon);
  expect((await ask()).stderr).toEqual(noSuchKey);
  expect(await readFile(addon)).toEqual(genuine);
});

it('loads again for a service whose executable was replaced or removed', async () => {
  await using hsm = await makeSoftHsm();
  const authority = makeAuthority();
  const token = await hsm.makeToken('kept');
  await token.importPair(issue(authority), { id: '01', label: 'leaf' });
  const program = join(folder, 'program');
  await copyFile(commandFile, program);
  await writeFile(join(folder, 'ca.pem'), authority.certificatePem);
  const service = await startEmulatorProcess(['--trust-anchor', join(folder, 'ca.pem')]);
  const pair = { certificate: token.uri(), key: token.uri() };
  const line = [...sessionWords(service, pair).slice(1), '--port', '0', '--pkcs11-lib', softHsmModule];
  try {
    await using serve = await startServe([...line, '--key-password-from', 'env:PIN'], {
      command: [program],
      env: { ...hsm.env, PIN: '1234', TMPDIR: folder },
    });
    await rm(program);
    const { stdout } = await promisify(execFile)('pgrep', ['-P', String(serve.child.pid)]);
    process.kill(Number(stdout), 'SIGKILL');
    await expect.poll(() => existsSync(`/proc/${stdout.trim()}`)).toBe(false);
    const from = serve.log().length;
    serve.child.kill('SIGHUP');
    await serve.logged('credentials', from);
    expect(serve.log().slice(from)).toContain('note: credentials until');
  } finally {
    await service.close();
  }
});

it('is told from a broken token where it cannot be unpacked', async () => {
  const script = 'mount -t tmpfs -o noexec tmpfs "$TMPDIR" && "$@"';
  const line = ['-rm', requirePart('bash'), '--norc', '-c', script, 'bash', ...commandWords(), ...words];
  const outcome = await runProgram(requirePart('unshare'), line, { env: { TMPDIR: folder } });
  expect(outcome).toMatchObject({ code: 3, stdout: '' });
  expect(outcome.stderr).toMatch(/error: cannot load the PKCS#11 addon\n.*TMPDIR/);
});
