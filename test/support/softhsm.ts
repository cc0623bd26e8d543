import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import type { Issued } from './pki.ts';
import { requirePart } from './system-parts.ts';

const run = promisify(execFile);

export const softHsmModule = '/usr/lib/softhsm/libsofthsm2.so';
const pin = '1234';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Real SoftHSM2 tokens in a directory of their own. */
export interface SoftHsm extends AsyncDisposable {
  readonly directory: string;
  /** What a process needs to see these tokens. */
  readonly env: { readonly SOFTHSM2_CONF: string };
  makeToken(label: string): Promise<SoftToken>;
}

export interface ObjectName {
  /** Hexadecimal. */
  readonly id: string;
  readonly label: string;
}

export interface SoftToken {
  readonly label: string;
  readonly serial: string;
  readonly slotId: string;
  /** `pkcs11:token=…;serial=…` and these attributes. */
  uri(attributes?: string): string;
  /** `publicKey: false` leaves the token with the private key alone. */
  importKey(pem: string, name: ObjectName, options?: { publicKey?: boolean }): Promise<void>;
  /** With its key, as a card that was issued by an authority has them. */
  importPair(issued: Issued, name: ObjectName): Promise<void>;
  importCertificate(der: Uint8Array, name: ObjectName): Promise<void>;
  /** A certificate object whose value is not one. No tool makes it, so it is done by the addon, in a process. */
  importJunk(name: ObjectName): Promise<void>;
}

export async function makeSoftHsm(): Promise<SoftHsm> {
  requirePart('softhsm');
  const directory = await mkdtemp(join(tmpdir(), 'softhsm-'));
  await mkdir(join(directory, 'tokens'));
  const env = { SOFTHSM2_CONF: join(directory, 'softhsm2.conf') };
  await writeFile(
    env.SOFTHSM2_CONF,
    `directories.tokendir = ${join(directory, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  return {
    directory,
    env,
    makeToken: (label) => makeToken(directory, env, label),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function makeToken(directory: string, env: SoftHsm['env'], label: string): Promise<SoftToken> {
  const all = { env: { ...process.env, ...env } };
  const made = await run(
    'softhsm2-util',
    ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', '87654321'],
    all,
  );
  const slotId = /slot (\d+)\s*$/.exec(made.stdout)?.[1] ?? '';
  const slots = await run('softhsm2-util', ['--show-slots'], all);
  const serial = new RegExp(`Slot ${slotId}\\b[^]*?Serial number:\\s+(\\w+)`).exec(slots.stdout)?.[1] ?? '';
  const pkcs11Tool = (...args: string[]) =>
    run(
      requirePart('opensc'),
      ['--module', softHsmModule, '--slot', slotId, '--login', '--pin', pin, ...args],
      all,
    );
  let files = 0;
  const file = async (contents: string | Uint8Array): Promise<string> => {
    files += 1;
    const path = join(directory, `${serial}-${files}`);
    await writeFile(path, contents);
    return path;
  };

  const token: SoftToken = {
    label,
    serial,
    slotId,
    uri: (attributes = '') =>
      `pkcs11:token=${encodeURIComponent(label)};serial=${serial}${attributes === '' ? '' : `;${attributes}`}`,
    importKey: async (pem, { id, label: name }, { publicKey = true } = {}) => {
      const path = await file(pem);
      const words = [
        '--import',
        path,
        '--slot',
        slotId,
        '--pin',
        pin,
        '--id',
        id,
        '--label',
        name,
        '--force',
      ];
      await run('softhsm2-util', publicKey ? words : [...words, '--no-public-key'], all);
    },
    importPair: async (issued, name) => {
      await token.importKey(issued.privateKeyPem, name);
      await token.importCertificate(issued.certificateDer, name);
    },
    importCertificate: async (der, { id, label: name }) => {
      await pkcs11Tool('--write-object', await file(der), '--type', 'cert', '--id', id, '--label', name);
    },
    importJunk: async (name) => {
      await run(process.execPath, ['-e', junkScript, softHsmModule, slotId, pin, name.id, name.label], {
        ...all,
        cwd: repository,
      });
    },
  };
  return token;
}

const junkScript = `
const { PKCS11 } = require('pkcs11js');
const [module, slotId, pin, id, label] = process.argv.slice(1);
const p = new PKCS11();
p.load(module);
p.C_Initialize();
const slot = p.C_GetSlotList(true).find((one) => String(one.readBigUInt64LE()) === slotId);
const session = p.C_OpenSession(slot, 4 | 2);
p.C_Login(session, 1, pin);
p.C_CreateObject(session, [
  { type: 0, value: 1 }, { type: 1, value: true }, { type: 2, value: false }, { type: 0x80, value: 0 },
  { type: 3, value: label }, { type: 0x102, value: Buffer.from(id, 'hex') },
  { type: 0x101, value: Buffer.from('300b310930070603550403', 'hex') },
  { type: 0x11, value: Buffer.from('this is no certificate') },
]);
p.C_Finalize();
`;

let builds: string | undefined;

/** Of this file of tests, and gone with it. */
function buildDirectory(): string {
  return (builds ??= mkdtempSync(join(tmpdir(), 'pkcs11-')));
}

afterAll(() => {
  if (builds !== undefined) rmSync(builds, { recursive: true });
});

let wrapper: Promise<string> | undefined;

/** The module in pkcs11-wrapper.c, compiled; what its environment does is said there. */
export function buildWrapper(): Promise<string> {
  return (wrapper ??= (async () => {
    requirePart('p11KitHeaders');
    const source = fileURLToPath(new URL('pkcs11-wrapper.c', import.meta.url));
    const output = join(buildDirectory(), 'wrapper.so');
    const options = ['-std=gnu17', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];
    await run(requirePart('gcc'), [...options, '-I/usr/include/p11-kit-1', '-o', output, source, '-ldl']);
    return output;
  })());
}

let host: Promise<string> | undefined;

/** The module's process, built from the source as it stands. */
export function buildHost(): Promise<string> {
  return (host ??= (async () => {
    const directory = buildDirectory();
    await run(process.execPath, [join(repository, 'scripts', 'pkcs11-host.mjs'), directory]);
    return join(directory, 'pkcs11-host.cjs');
  })());
}

/** Whether the OpenSSL command line takes the signature for this public key's. */
export async function opensslVerifies(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  digest = 'sha256',
): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'verify-'));
  try {
    const [key, data, file] = ['key.pem', 'message', 'signature'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const object = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    await writeFile(key, object.export({ format: 'pem', type: 'spki' }));
    await writeFile(data, message);
    await writeFile(file, signature);
    await run(requirePart('openssl'), ['dgst', `-${digest}`, '-verify', key, '-signature', file, data]);
    return true;
  } catch (error) {
    if ((error as { stdout?: string }).stdout?.includes('Verification failure') === true) return false;
    throw error;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** How often each line stands in a log of the wrapper. */
export async function countCalls(log: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const line of (await readFile(log, 'utf8')).split('\n').filter(Boolean)) {
    counts[line] = (counts[line] ?? 0) + 1;
  }
  return counts;
}
