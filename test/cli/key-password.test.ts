import { execFileSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, runProgram } from '../support/command.ts';
import type { Outcome, RunOptions } from '../support/command.ts';
import { commandWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { derOf } from '../support/fixtures.ts';
import { encryptPbes2 } from '../support/pbes.ts';
import { toPem } from '../support/pki.ts';
import { typeAtPrompt } from '../support/type-at-prompt.ts';
import { measure } from '../support/measure.ts';
import { requirePart } from '../support/system-parts.ts';

const canary = 'Käse canary-4711';
let folder = '';
let emulator: EmulatorProcess;
const file = (name: string): string => path.join(folder, name);
const openssl = (...words: readonly string[]): void => {
  execFileSync(requirePart('openssl'), words, { stdio: 'pipe' });
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere password-'));
  emulator = await startEmulatorProcess(['--pki', folder]);
  const out = ['-passout', `pass:${canary}`, '-out'];
  openssl('pkcs8', '-topk8', '-in', file('leaf.key'), ...out, file('pkcs8.key'));
  openssl('ec', '-in', file('leaf.key'), '-aes256', ...out, file('traditional.key'));
  openssl('pkcs12', '-export', '-inkey', file('leaf.key'), '-in', file('leaf.pem'), ...out, file('leaf.p12'));
  await writeFile(file('password'), `${canary}\n`, { mode: 0o600 });
});

afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

const words = (...more: readonly string[]): string[] => [
  ...['credential-process', '--endpoint', emulator.endpoint, '--trust-anchor-arn', emulator.trustAnchorArn],
  ...['--profile-arn', emulator.profileArn, '--role-arn', emulator.roleArn, ...more],
];
const sources = {
  'encrypted PKCS#8': () => ['--certificate', file('leaf.pem'), '--private-key', file('pkcs8.key')],
  'traditional PEM': () => ['--certificate', file('leaf.pem'), '--private-key', file('traditional.key')],
  'PKCS#12': () => ['--certificate', file('leaf.p12')],
};

/** Without the terminal that the tests may have been started on. */
function detached(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return runProgram('setsid', ['--wait', ...commandWords(), ...args], options);
}

function expectSession({ code, stdout, stderr }: Outcome): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toHaveProperty('SecretAccessKey');
}

describe.each(Object.keys(sources) as (keyof typeof sources)[])('the password of %s', (kind) => {
  const session = (more: readonly string[], options?: RunOptions): Promise<Outcome> =>
    detached(words(...sources[kind](), ...more), options);

  it('comes from a file', async () => {
    expectSession(await session(['--key-password-from', `file:${file('password')}`]));
  });

  it('comes from the environment', async () => {
    expectSession(await session(['--key-password-from=env:SECRET'], { env: { SECRET: canary } }));
  });

  it('comes from standard input, with either line end or none', async () => {
    for (const input of [canary, `${canary}\n`, `${canary}\r\n`]) {
      expectSession(await session(['--key-password-from', 'stdin'], { input }));
    }
  });

  it('comes from a descriptor', async () => {
    const handle = await open(file('password'));
    expectSession(
      await run(words(...sources[kind](), '--key-password-from', 'fd:3'), { descriptors: [handle.fd] }),
    );
    await handle.close();
  });

  it('comes from the old option, with a hint', async () => {
    const { code, stdout, stderr } = await session(['--pkcs8-password', canary]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty('SecretAccessKey');
    expect(stderr).toContain('--key-password-from');
    expect(stderr).not.toContain(canary);
  });

  it('is wrong: so it says, and no more, with exit code 3', async () => {
    for (const input of ['wrong', `${canary} `]) {
      const { code, stdout, stderr } = await session(['--key-password-from', 'stdin'], { input });
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toMatch(/^rolesanywhere: error: the password of [^\n]* is wrong\n$/);
    }
  });

  it('is missing where nobody can be asked: an error at once', async () => {
    const started = Date.now();
    for (const more of [[], ['--key-password-from', 'prompt']]) {
      const { code, stdout, stderr } = await session(more);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toContain('no terminal');
      expect(stderr).toContain('--key-password-from');
    }
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  it('stands nowhere in what --debug says, whatever happens', async () => {
    const secrets = [canary, Buffer.from(canary).toString('base64'), Buffer.from(canary).toString('hex')];
    const endings = [
      [],
      ['--endpoint', 'http://127.0.0.1:1', '--timeout', '1'],
      ['--certificate', file('ca.pem')],
    ];
    for (const ending of endings) {
      const { stdout, stderr } = await session(['--debug', '--key-password-from', 'env:SECRET', ...ending], {
        env: { SECRET: canary },
      });
      expect(stderr).toContain('debug');
      for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
    }
  });
});

describe('what cannot be', () => {
  it.each([
    ['standard input for both', ['--private-key', '-', '--key-password-from', 'stdin'], 2],
    ['one descriptor for both', ['--private-key', 'fd:3', '--key-password-from', 'fd:3'], 2],
    ['two ways at once', ['--key-password-from', 'stdin', '--pkcs8-password', 'x'], 2],
    ['a password in place of its source', ['--key-password-from', canary], 2],
    ['a password file that is absent', ['--key-password-from', 'file:/nonexistent'], 3],
    ['a variable that is not set', ['--key-password-from', 'env:NOT_SET'], 3],
    ['a descriptor that is closed', ['--key-password-from', 'fd:77'], 3],
  ])('%s is refused', async (_, more, expected) => {
    const key = more.includes('--private-key') ? [] : ['--private-key', file('pkcs8.key')];
    const { code, stdout, stderr } = await detached(
      words('--certificate', file('leaf.pem'), ...key, ...more),
    );
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).not.toContain(canary);
  });

  it('a key that needs no password is asked for none', async () => {
    const plain = ['--certificate', file('leaf.pem'), '--private-key', file('leaf.key')];
    expectSession(await detached(words(...plain, '--key-password-from', 'file:/nonexistent')));
  });
});

it('an empty password is missing rather than wrong', async () => {
  for (const source of Object.values(sources)) {
    const { code, stderr } = await detached(words(...source(), '--key-password-from', 'stdin'));
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('is empty') as string });
  }
});

describe('the prompt', () => {
  /** Types into a terminal of its own once the prompt stands there; what the terminal showed comes back. */
  async function type(
    text: string,
    more: readonly string[] = [],
  ): Promise<{ code: number | null; screen: string }> {
    const command = [...commandWords(), ...words(...sources['encrypted PKCS#8'](), ...more)];
    return typeAtPrompt(command, 'password of', text, { stdout: file('stdout') });
  }

  it.each([
    ['with --key-password-from prompt', `${canary}\r`, ['--key-password-from', 'prompt']],
    ['without an option, as the old helper', `${canary}\r`, []],
    ['with corrections', `wrong\u0015${canary}öx\u007f\u007f\r`, []],
    ['and Ctrl-D at its end', `${canary}\u0004`, []],
  ])('asks %s, and shows nothing of what is typed', async (_, text, more) => {
    const { code, screen } = await type(text, more);
    expect(code).toBe(0);
    expect(screen).toContain(`password of private key ${file('pkcs8.key')}`);
    expect(screen).not.toContain(canary.slice(-4));
    expect(JSON.parse(await readFile(file('stdout'), 'utf8'))).toHaveProperty('SecretAccessKey');
  });

  it('ends with Ctrl-D', async () => {
    const { code, screen } = await type('\u0004');
    expect(code).toBe(3);
    expect(screen).toContain('no password was entered');
  });

  it('ends with Ctrl-C', async () => {
    const { code } = await type('\u0003');
    expect(code).toBe(130);
  });

  it('says that what was typed is wrong', async () => {
    const { code, screen } = await type('wrong\r');
    expect(code).toBe(3);
    expect(screen).toContain('wrong');
  });
});

describe('hostile files', () => {
  const key = async (): Promise<Buffer> => derOf(await readFile(file('leaf.key')));
  const patched = (der: Uint8Array, from: string, to: string): Buffer => {
    const hex = Buffer.from(der).toString('hex');
    expect(hex).toContain(from);
    return Buffer.from(hex.replace(from, to), 'hex');
  };
  const files: Readonly<Record<string, () => Promise<Uint8Array>>> = {
    'PBKDF2 of nearly all the iterations that are allowed': async () =>
      patched(
        encryptPbes2(await key(), Buffer.from('x'), { iterations: 100_000 }),
        '02030186a0',
        '02037fffff',
      ),
    'scrypt of all the memory that is allowed': async () =>
      encryptPbes2(await key(), Buffer.from('another'), { scrypt: { N: 2 ** 17, r: 8, p: 1 } }),
    'scrypt of 8 GiB': async () =>
      patched(
        encryptPbes2(await key(), Buffer.from('x'), { scrypt: { N: 2 ** 16, r: 8, p: 1 } }),
        '0203010000020108',
        '0203800000020108',
      ),
    'a mebibyte of nested PKCS#12': () =>
      Promise.resolve(
        Buffer.concat([
          Buffer.from('3080020103', 'hex'),
          Buffer.alloc(1_000_000, Buffer.from('3080', 'hex')),
        ]),
      ),
    'a mebibyte of empty parts': () =>
      Promise.resolve(
        Buffer.concat([
          Buffer.from('3080020103', 'hex'),
          Buffer.alloc(1_000_000, Buffer.from('3000', 'hex')),
        ]),
      ),
  };

  it.each(Object.keys(files))('%s ends soon, in words, within 256 MiB', async (name) => {
    const bytes = await files[name]?.();
    await writeFile(file('hostile'), bytes ?? '');
    await writeFile(file('hostile.pem'), toPem('ENCRYPTED PRIVATE KEY', bytes ?? Buffer.alloc(0)));
    for (const hostile of [file('hostile'), file('hostile.pem')]) {
      const { code, stderr, mebibytes, seconds } = measure([
        ...['sign-string', '--private-key', hostile, '--key-password-from', `file:${file('password')}`],
      ]);
      expect(code).toBe(3);
      expect(stderr).toMatch(/rolesanywhere: error: /);
      expect(mebibytes).toBeLessThan(256);
      expect(seconds).toBeLessThan(20);
    }
  });
});
