import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { serveTpm } from '../key/tpm/support/tpm-server.ts';
import { run, runProgram } from '../support/command.ts';
import type { Outcome } from '../support/command.ts';
import { commandWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { makeAuthority } from '../support/pki.ts';
import { typeAtPrompt } from '../support/type-at-prompt.ts';
import { startSwtpm } from '../support/swtpm.ts';
import type { Swtpm } from '../support/swtpm.ts';
import { requirePart } from '../support/system-parts.ts';

const signing = 'sign|userwithauth|fixedtpm|fixedparent|sensitivedataorigin';
let tpm: Swtpm;
let emulator: EmulatorProcess;

const file = (name: string): string => join(tpm.directory, name);

beforeAll(async () => {
  tpm = await startSwtpm();
  const authority = makeAuthority();
  await writeFile(file('ca.pem'), authority.certificatePem);
  await writeFile(file('ca.key'), authority.privateKeyPem, { mode: 0o600 });
  emulator = await startEmulatorProcess(['--trust-anchor', file('ca.pem')]);
  await writeFile(
    file('extensions'),
    'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n',
  );

  /** A certificate for a key that is in the TPM: the request is signed in there. */
  const certify = async (name: string, key: string): Promise<void> => {
    const providers = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'];
    const request = ['-new', '-config', '/dev/null', '-subj', `/CN=${name}`, '-key', key];
    await tpm.openssl('req', ...providers, ...request, '-out', `${name}.csr`);
    const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1'];
    const leaf = ['-req', '-in', `${name}.csr`, '-extfile', 'extensions', '-out', `${name}.crt`];
    await tpm.openssl('x509', ...issuer, ...leaf);
  };
  const ec = ['-algorithm', 'EC', '-pkeyopt', 'group:P-256'];
  await tpm.openssl('genpkey', '-provider', 'tpm2', ...ec, '-out', 'ec.pem');
  await certify('ec', 'ec.pem');
  await tpm.openssl(
    'genpkey',
    '-provider',
    'tpm2',
    '-algorithm',
    'RSA',
    '-pkeyopt',
    'bits:2048',
    '-out',
    'rsa.pem',
  );
  await certify('rsa', 'rsa.pem');
  await tpm.persist('0x81000101', '-G', 'ecc384:ecdsa-sha384', '-a', signing);
  await certify('p384', 'handle:0x81000101');
  await writeFile(
    file('both.pem'),
    (await readFile(file('ec.pem'), 'utf8')) + (await readFile(file('ec.crt'), 'utf8')),
  );
});

afterAll(async () => {
  await emulator.close();
  await tpm[Symbol.asyncDispose]();
});

afterEach(async () => {
  expect(await tpm.leftovers()).toEqual([]);
});

const words = (certificate: string | undefined, key: string | undefined, ...more: string[]): string[] => [
  ...['credential-process', '--endpoint', emulator.endpoint, '--trust-anchor-arn', emulator.trustAnchorArn],
  ...['--profile-arn', emulator.profileArn, '--role-arn', emulator.roleArn],
  ...(certificate === undefined ? [] : ['--certificate', file(certificate)]),
  ...(key === undefined ? [] : ['--private-key', key]),
  ...more,
];

const session = (
  certificate: string | undefined,
  key: string | undefined,
  { device = tpm.socket, more = [] as readonly string[], timeout = 60_000 } = {},
): Promise<Outcome> => run(words(certificate, key, ...more), { env: { TPM_DEVICE: device }, timeout });

const expectCredentials = (outcome: Outcome): void => {
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(outcome.stdout)).toMatchObject({ Version: 1 });
};

/** The TPM behind a server that lets a test look at each command and delay it. */
const startProxy = async (onCommand: (code: number) => Promise<void> | void) => {
  const upstreams = new Map<number, ReturnType<typeof connect>>();
  const proxy = await serveTpm(async (command, connection) => {
    await onCommand(command.readUInt32BE(6));
    const upstream = upstreams.get(connection) ?? connect(tpm.socket);
    upstreams.set(connection, upstream);
    upstream.write(command);
    const [answer] = (await once(upstream, 'data')) as [Buffer];
    return answer;
  });
  const close = async (): Promise<void> => {
    for (const upstream of upstreams.values()) {
      if (upstream.closed) continue;
      upstream.destroy();
      await once(upstream, 'close');
    }
    upstreams.clear();
  };
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return { device: proxy.socket, close };
};

/** A character device: a pseudo-terminal with a TPM behind it, or nobody. */
const startCharacterDevice = async (...behind: string[]) => {
  const script = fileURLToPath(new URL('../support/pty.py', import.meta.url));
  const child = spawn(requirePart('python3'), [script, ...behind], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const [device] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    device,
    close: async () => {
      child.kill();
      await closed;
    },
  };
};

describe('a session by a key in a TPM', () => {
  it.each([
    ['an EC key file', 'ec.crt', () => file('ec.pem')],
    ['an RSA key file', 'rsa.crt', () => file('rsa.pem')],
    ['a persistent P-384 key', 'p384.crt', () => 'handle:0x81000101'],
    ['a persistent key without 0x', 'p384.crt', () => 'handle:81000101'],
    ['key and certificate in one file', undefined, () => file('both.pem')],
  ])('%s', async (_, certificate, key) => {
    expectCredentials(await session(certificate, key()));
  });

  it('a certificate file that holds the key too', async () => {
    expectCredentials(await session('both.pem', undefined));
  });

  it('through a character device', async () => {
    const { device, close } = await startCharacterDevice(tpm.socket);
    try {
      expectCredentials(await session('ec.crt', file('ec.pem'), { device }));
      expectCredentials(await session('p384.crt', 'handle:0x81000101', { device }));
    } finally {
      await close();
    }
  });

  it('10 processes at once on one TPM, which serves one at a time, and nothing stays behind', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        index % 2 === 0 ? session('ec.crt', file('ec.pem')) : session('p384.crt', 'handle:0x81000101'),
      ),
    );
    for (const outcome of outcomes) expectCredentials(outcome);
  }, 120_000);
});

describe('passwords', () => {
  it('of key and parent come from where the options say', async () => {
    await writeFile(file('key.password'), 'key password\n', { mode: 0o600 });
    await tpm.tpm2(
      'createprimary',
      '-Q',
      '-C',
      'o',
      '-G',
      'ecc',
      '-p',
      'parent password',
      '-c',
      'parent.ctx',
    );
    await tpm.tpm2('evictcontrol', '-Q', '-C', 'o', '-c', 'parent.ctx', '0x81000001');
    const parent = ['-pkeyopt', 'parent:0x81000001', '-pkeyopt', 'parent-auth:parent password'];
    const key = ['-algorithm', 'EC', '-pkeyopt', 'group:P-256', '-pkeyopt', 'user-auth:key password'];
    await tpm.openssl('genpkey', '-provider', 'tpm2', ...key, ...parent, '-out', 'locked.pem');
    const sign = (...more: string[]): Promise<Outcome> =>
      run(['sign-string', '--private-key', file('locked.pem'), ...more], {
        env: { TPM_DEVICE: tpm.socket, PARENT: 'parent password', WRONG: 'another password' },
      });
    const fromParent = ['--tpm-parent-password-from', 'env:PARENT'];
    const fromKey = ['--key-password-from', `file:${file('key.password')}`];
    expect(await sign(...fromKey, ...fromParent)).toMatchObject({ code: 0, stderr: '' });

    const refused = async (...more: string[]): Promise<string> => {
      const { code, stdout, stderr } = await sign(...more);
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).not.toMatch(/(key|parent|another) password/);
      return stderr;
    };
    expect(await refused('--key-password-from', 'env:WRONG', ...fromParent)).toMatch(
      /password of .*locked.pem is wrong/,
    );
    expect(await refused(...fromKey, '--tpm-parent-password-from', 'env:WRONG')).toMatch(
      /parent .* is wrong/,
    );
    expect(await refused(...fromKey)).toMatch(/--tpm-parent-password-from/);
    // Nobody is there to be asked.
    expect(await refused(...fromParent)).toMatch(/--key-password-from/);
  });

  describe('of a persistent key that wrong ones count for', () => {
    const failures = async (): Promise<string | undefined> =>
      /TPM2_PT_LOCKOUT_COUNTER: (\S+)/.exec(await tpm.tpm2('getcap', 'properties-variable'))?.[1];
    const asked = (handle: string, text: string) =>
      typeAtPrompt(
        [...commandWords(), 'sign-string', '--private-key', handle],
        'Enter if it has none',
        text,
        { env: { TPM_DEVICE: tpm.socket } },
      );
    const unattended = (handle: string): Promise<Outcome> =>
      runProgram('setsid', ['--wait', ...commandWords(), 'sign-string', '--private-key', handle], {
        env: { TPM_DEVICE: tpm.socket },
      });

    it('cost no try when they are right; a key without one asks for nothing but Enter', async () => {
      await tpm.tpm2('dictionarylockout', '--clear-lockout');
      await tpm.persist('0x81000111', '-G', 'ecc256', '-a', signing, '-p', 'key password');
      for (let runs = 0; runs < 3; runs += 1) {
        expect((await asked('handle:0x81000111', 'key password\r')).code).toBe(0);
      }
      expect((await asked('handle:0x81000101', '\r')).code).toBe(0);
      expect(await failures()).toBe('0x0');
    });

    it('are never missing for the last try: unattended use does not lock the TPM', async () => {
      // swtpm locks itself at the third.
      for (let runs = 0; runs < 5; runs += 1) {
        const { code, stderr } = await unattended('handle:0x81000111');
        expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('password') as string });
      }
      expect(await failures()).toBe('0x2');
      await tpm.tpm2('dictionarylockout', '--clear-lockout');
      expect(await unattended('handle:0x81000101')).toMatchObject({ code: 0, stderr: '' });
    });
  });

  it('that both are to come from one stream are refused', async () => {
    const both = ['--key-password-from', 'stdin', '--tpm-parent-password-from', 'stdin'];
    const { code, stderr } = await session('ec.crt', file('ec.pem'), { more: both });
    expect([code, stderr]).toEqual([2, expect.stringContaining('--tpm-parent-password-from') as string]);
  });
});

describe('the guide', () => {
  it('shows commands that work', async () => {
    const guide = await readFile(new URL('../../docs/keys/tpm.md', import.meta.url), 'utf8');
    const commands = [...guide.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, text = '']) => text);
    expect(commands.length).toBeGreaterThan(4);
    await using fresh = await startSwtpm();
    // Without a resource manager each tool leaves its objects behind.
    const tidy = `for tool in createprimary create load evictcontrol; do
      eval "tpm2_$tool() { command tpm2_$tool \\"\\$@\\" && command tpm2_flushcontext --transient-object; }"
    done`;
    await fresh.shell([tidy, ...commands].join('\n'));
    for (const [key, ...more] of [
      ['tpm.pem'],
      ['tpm-locked.pem', '--key-password-from', `file:${join(fresh.directory, 'tpm.password')}`],
      ['child.pem', '--tpm-parent-password-from', `file:${join(fresh.directory, 'tpm.password')}`],
      ['handle:0x81000101'],
    ] as const) {
      const path = key.startsWith('handle:') ? key : join(fresh.directory, key);
      const words_ = ['sign-string', '--private-key', path, ...more];
      expect(await run(words_, { env: { TPM_DEVICE: fresh.socket } })).toMatchObject({ code: 0, stderr: '' });
    }
    expect(await fresh.leftovers()).toEqual([]);
  });
});

describe('without what it needs', () => {
  it.each([
    ['a key file without --certificate', () => file('ec.pem')],
    ['a handle without --certificate', () => 'handle:0x81000101'],
  ])('%s is a clear error', async (_, key) => {
    const { code, stdout, stderr } = await session(undefined, key());
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/--certificate is missing/);
  });

  it('a certificate of another key', async () => {
    const { code, stderr } = await session('rsa.crt', file('ec.pem'));
    expect([code, stderr]).toEqual([3, expect.stringContaining('does not belong') as string]);
  });

  it.each([
    ['nowhere', () => '/nowhere'],
    ['a plain file', () => file('ec.pem')],
    ['a directory', () => tpm.directory],
    ['a port where nobody listens', () => '127.0.0.1:1'],
  ])('a TPM: TPM_DEVICE names %s', async (_, device) => {
    for (const [certificate, key] of [
      ['ec.crt', file('ec.pem')],
      ['p384.crt', 'handle:0x81000101'],
    ] as const) {
      const { code, stdout, stderr } = await session(certificate, key, { device: device() });
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).toContain(device());
    }
  });

  it('every prefix of a key file is a clear error', async () => {
    const whole = await readFile(file('ec.pem'));
    for (let length = 0; length < whole.length; length += 97) {
      await writeFile(file('prefix.pem'), whole.subarray(0, length), { mode: 0o600 });
      const { code, stdout, stderr } = await session('ec.crt', file('prefix.pem'));
      expect([code, stdout], `${length} bytes: ${stderr}`).toEqual([3, '']);
    }
  });
});

describe('a silent TPM', () => {
  const expectTimeout = async (device: string): Promise<void> => {
    const started = Date.now();
    const { code, signal, stderr } = await session('ec.crt', file('ec.pem'), {
      device,
      more: ['--timeout', '2'],
    });
    expect([code, signal]).toEqual([3, null]);
    expect(stderr).toMatch(/did not answer within 2 s/);
    expect(Date.now() - started).toBeLessThan(10_000);
  };

  it('ends at --timeout: a socket', async () => {
    const server = await serveTpm(() => 'silence');
    onTestFinished(() => server[Symbol.asyncDispose]());
    await expectTimeout(server.socket);
    await expectTimeout(server.address);
  });

  it('ends at --timeout: a character device, which must not hold the process either', async () => {
    const { device, close } = await startCharacterDevice();
    try {
      await expectTimeout(device);
    } finally {
      await close();
    }
  });

  it('ends at --timeout while another program has the TPM, and does nothing in it afterwards', async () => {
    const other = connect(tpm.socket);
    await once(other, 'connect');
    await expectTimeout(tpm.socket);
    other.destroy();
    await once(other, 'close');
  });
});

describe('a signal', () => {
  // While each of these runs: TPM2_CreatePrimary, TPM2_Load, TPM2_Sign.
  const codes = [0x131, 0x157, 0x15d];

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s leaves nothing behind in the TPM', async (signal) => {
    for (const code of codes) {
      const waiting: { child?: ReturnType<typeof spawn> } = {};
      const proxy = await startProxy(async (command) => {
        if (command !== code) return;
        waiting.child?.kill(signal);
        await new Promise((resolve) => setTimeout(resolve, 300));
      });
      const [program, ...first] = commandWords();
      const child = (waiting.child = spawn(program, [...first, ...words('ec.crt', file('ec.pem'))], {
        env: { PATH: process.env['PATH'], TPM_DEVICE: proxy.device },
        stdio: 'ignore',
      }));
      expect(await once(child, 'close')).toEqual([null, signal]);
      await proxy.close();
      expect(await tpm.leftovers()).toEqual([]);
    }
  });
});
