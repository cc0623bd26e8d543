import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readPem } from '../../../src/encoding/pem.ts';
import { RolesAnywhereError } from '../../../src/errors.ts';
import { openTpmSigner } from '../../../src/key/tpm/open.ts';
import type { TpmSignerOptions } from '../../../src/key/tpm/open.ts';
import type { Digest, Signer } from '../../../src/key/signer.ts';
import { Secret } from '../../../src/secret.ts';
import { describeSigner } from '../../support/signer-contract.ts';
import { startSwtpm } from '../../support/swtpm.ts';
import type { Swtpm } from '../../support/swtpm.ts';

const signing = 'sign|userwithauth|fixedtpm|fixedparent|sensitivedataorigin';
const message = Buffer.from('the string to sign');

let tpm: Swtpm;

beforeAll(async () => {
  tpm = await startSwtpm();
  // Wrong passwords are part of the tests: no lock-out before a hundred of them.
  await tpm.tpm2('dictionarylockout', '--setup-parameters', '--max-tries=100');
});

afterAll(() => tpm[Symbol.asyncDispose]());

afterEach(async () => {
  expect(await tpm.leftovers()).toEqual([]);
});

const from = (text: string) => () => Promise.resolve(new Secret(Buffer.from(text)));

const open = (key: number | Uint8Array, options: Partial<TpmSignerOptions> = {}): Promise<Signer> =>
  openTpmSigner({
    key: typeof key === 'number' ? { handle: key } : { bytes: key, name: 'key.pem' },
    device: tpm.socket,
    timeoutSeconds: 20,
    ...options,
  });

const readKey = async (name: string): Promise<Uint8Array> => {
  const [block] = readPem(await readFile(join(tpm.directory, name)));
  if (block?.label !== 'TSS2 PRIVATE KEY') throw new Error(`${name} is no TPM key`);
  return block.decode();
};

/** OpenSSL’s own opinion, on the command line. */
const expectVerifies = async (signer: Signer, digest: Digest = 'SHA256'): Promise<void> => {
  const path = (name: string): string => join(tpm.directory, name);
  await writeFile(path('message'), message);
  await writeFile(path('signature'), await signer.sign(message, digest));
  await writeFile(path('public.der'), signer.publicKey);
  const words = ['-verify', 'public.der', '-keyform', 'DER', '-signature', 'signature', 'message'];
  expect(await tpm.openssl('dgst', `-${digest.toLowerCase()}`, ...words)).toContain('Verified OK');
};

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing thrown',
    (error: unknown) => (error instanceof RolesAnywhereError ? error.code : error),
  );

describe.each([
  ['rsa2048', 0x81000180],
  ['ecc256', 0x81000181],
])('a persistent %s key', (algorithm, handle) => {
  let publicKey: Uint8Array;

  beforeAll(async () => {
    const name = `0x${handle.toString(16)}`;
    await tpm.persist(name, '-G', algorithm, '-a', signing);
    await tpm.tpm2('readpublic', '-Q', '-c', name, '-f', 'der', '-o', `${algorithm}.der`);
    publicKey = await readFile(join(tpm.directory, `${algorithm}.der`));
  });

  describeSigner(`${algorithm} in a TPM`, () => ({
    publicKey,
    open: () => open(handle),
    expectNothingLeft: async () => {
      expect(await tpm.leftovers()).toEqual([]);
    },
  }));
});

describe('persistent keys made by tpm2-tools', () => {
  it.each([
    ['rsa2048', ['SHA256', 'SHA384', 'SHA512']],
    ['rsa2048:rsassa-sha256', ['SHA256']],
    ['rsa3072', ['SHA256']],
    ['ecc256', ['SHA256', 'SHA384', 'SHA512']],
    ['ecc384', ['SHA256', 'SHA384', 'SHA512']],
    ['ecc521', ['SHA256', 'SHA384', 'SHA512']],
    ['ecc256:ecdsa-sha256', ['SHA256', 'SHA384']],
    // A P-384 key bound to ECDSA-SHA384 gets the SHA-256 digest padded to its size.
    ['ecc384:ecdsa-sha384', ['SHA256', 'SHA384', 'SHA512']],
    ['ecc521:ecdsa-sha512', ['SHA256', 'SHA384', 'SHA512']],
    ['ecc256:ecdsa-sha384', ['SHA256', 'SHA384']],
    ['ecc256:ecdsa-sha512', ['SHA256', 'SHA512']],
  ] as const)('%s signs %j', async (algorithm, digests) => {
    const [key, scheme = 'null'] = algorithm.split(':');
    await tpm.persist('0x81000101', '-G', `${key ?? ''}:${scheme}:null`, '-a', signing);
    try {
      await using signer = await open(0x81000101);
      for (const digest of digests) await expectVerifies(signer, digest);
    } finally {
      await tpm.tpm2('evictcontrol', '-Q', '-C', 'o', '-c', '0x81000101');
    }
  });

  it('with a password: right, wrong, missing, empty', async () => {
    await tpm.persist('0x81000102', '-G', 'ecc256', '-a', signing, '-p', 'key password');
    await using right = await open(0x81000102, { password: from('key password') });
    await expectVerifies(right);
    await expectVerifies(right);
    await using wrong = await open(0x81000102, { password: from('another') });
    expect(await codeOf(wrong.sign(message))).toBe('PASSWORD_WRONG');
    for (const options of [{}, { password: from('') }]) {
      await using none = await open(0x81000102, options);
      expect(await codeOf(none.sign(message))).toBe('PASSWORD_REQUIRED');
    }
    await expectVerifies(right);
  });

  it('with a password and exempt from the lock-out: TPM_RC_BAD_AUTH instead of TPM_RC_AUTH_FAIL', async () => {
    await tpm.persist('0x81000103', '-G', 'ecc256', '-a', `${signing}|noda`, '-p', 'key password');
    await using right = await open(0x81000103, { password: from('key password') });
    await expectVerifies(right);
    await using wrong = await open(0x81000103, { password: from('another') });
    expect(await codeOf(wrong.sign(message))).toBe('PASSWORD_WRONG');
  });

  it('a wrong password is tried once', async () => {
    await tpm.persist('0x81000104', '-G', 'ecc256', '-a', signing, '-p', 'key password');
    const failures = async (): Promise<string | undefined> =>
      /TPM2_PT_LOCKOUT_COUNTER: (\S+)/.exec(await tpm.tpm2('getcap', 'properties-variable'))?.[1];
    await tpm.tpm2('dictionarylockout', '--clear-lockout');
    expect(await failures()).toBe('0x0');
    await using wrong = await open(0x81000104, { password: from('another') });
    await Promise.allSettled([wrong.sign(message), wrong.sign(message), wrong.sign(message)]);
    expect(await failures()).toBe('0x1');
  });

  it('restricted to what the TPM hashed itself', async () => {
    const attributes = `${signing}|restricted`;
    await tpm.persist('0x81000105', '-G', 'ecc256:ecdsa-sha256:null', '-a', attributes, '-p', 'key password');
    await using signer = await open(0x81000105, { password: from('key password') });
    await expectVerifies(signer);
    expect(await codeOf(signer.sign(message, 'SHA384'))).toBe('KEY_UNSUPPORTED');
  });

  it.each([
    [
      'that can only decrypt',
      ['-G', 'rsa2048', '-a', 'decrypt|userwithauth|fixedtpm|fixedparent|sensitivedataorigin'],
    ],
    [
      'that store other keys',
      [
        '-G',
        'ecc256:aes128cfb',
        '-a',
        'restricted|decrypt|userwithauth|fixedtpm|fixedparent|sensitivedataorigin',
      ],
    ],
    [
      'bound to a policy',
      ['-G', 'ecc256', '-a', 'sign|fixedtpm|fixedparent|sensitivedataorigin', '-L', 'policy'],
    ],
    ['bound to RSAPSS', ['-G', 'rsa2048:rsapss-sha256:null', '-a', signing]],
    ['of 1024 bits', ['-G', 'rsa1024', '-a', signing]],
    ['on P-224', ['-G', 'ecc224', '-a', signing]],
    ['of HMAC', ['-G', 'hmac', '-a', signing]],
    ['of AES', ['-G', 'aes', '-a', 'sign|decrypt|userwithauth|fixedtpm|fixedparent|sensitivedataorigin']],
  ])('refuses keys %s', async (_, words) => {
    await writeFile(join(tpm.directory, 'policy'), Buffer.alloc(32, 7));
    await tpm.persist('0x81000106', ...words);
    try {
      expect(await codeOf(open(0x81000106))).toBe('KEY_UNSUPPORTED');
    } finally {
      await tpm.tpm2('evictcontrol', '-Q', '-C', 'o', '-c', '0x81000106');
    }
  });

  it('says where there is none', async () => {
    expect(await codeOf(open(0x81000777))).toBe('KEY_UNREADABLE');
  });
});

describe('TSS2 PEM made by tpm2-openssl', () => {
  const generate = async (name: string, ...words: string[]): Promise<Uint8Array> => {
    await tpm.openssl('genpkey', '-provider', 'tpm2', '-out', name, ...words);
    return readKey(name);
  };
  const p256 = ['-algorithm', 'EC', '-pkeyopt', 'group:P-256'];

  it.each([
    ['RSA', ['-algorithm', 'RSA', '-pkeyopt', 'bits:2048']],
    ['P-256', p256],
    ['P-384', ['-algorithm', 'EC', '-pkeyopt', 'group:P-384']],
    ['P-521', ['-algorithm', 'EC', '-pkeyopt', 'group:P-521']],
    ['P-384 bound to SHA-384', ['-algorithm', 'EC', '-pkeyopt', 'group:P-384', '-pkeyopt', 'digest:SHA384']],
  ])('%s below the owner, without a password (emptyAuth 01)', async (_, words) => {
    const key = await generate('plain.pem', ...words);
    expect(Buffer.from(key).includes(Buffer.from('a003010101', 'hex'))).toBe(true);
    await using signer = await open(key);
    await expectVerifies(signer);
  });

  it('with a password: right, wrong, missing', async () => {
    const key = await generate('password.pem', ...p256, '-pkeyopt', 'user-auth:key password');
    await using right = await open(key, { password: from('key password') });
    await expectVerifies(right);
    await using wrong = await open(key, { password: from('another') });
    expect(await codeOf(wrong.sign(message))).toBe('PASSWORD_WRONG');
    expect(await codeOf(open(key))).toBe('PASSWORD_REQUIRED');
  });

  it('below a persistent parent with a password', async () => {
    await tpm.tpm2(
      'createprimary',
      '-Q',
      '-C',
      'o',
      '-G',
      'rsa2048',
      '-p',
      'parent password',
      '-c',
      'parent.ctx',
    );
    await tpm.tpm2('evictcontrol', '-Q', '-C', 'o', '-c', 'parent.ctx', '0x81000001');
    const parent = ['-pkeyopt', 'parent:0x81000001', '-pkeyopt', 'parent-auth:parent password'];
    const key = await generate('child.pem', ...p256, ...parent);
    await using right = await open(key, { parentPassword: from('parent password') });
    await expectVerifies(right);
    await using wrong = await open(key, { parentPassword: from('another') });
    expect(await codeOf(wrong.sign(message))).toBe('PASSWORD_WRONG');
    await using none = await open(key);
    expect(await codeOf(none.sign(message))).toBe('PASSWORD_REQUIRED');

    const both = await generate('both.pem', ...p256, ...parent, '-pkeyopt', 'user-auth:key password');
    const passwords = { password: from('key password'), parentPassword: from('parent password') };
    await using signer = await open(both, passwords);
    await expectVerifies(signer);
  });

  it('below the owner when the owner has a password', async () => {
    const key = await generate('owned.pem', ...p256);
    await tpm.tpm2('changeauth', '-c', 'owner', 'owner password');
    try {
      await using right = await open(key, { parentPassword: from('owner password') });
      await expectVerifies(right);
      await using wrong = await open(key, { parentPassword: from('another') });
      expect(await codeOf(wrong.sign(message))).toBe('PASSWORD_WRONG');
      await using none = await open(key);
      expect(await codeOf(none.sign(message))).toBe('PASSWORD_REQUIRED');
    } finally {
      await tpm.tpm2('changeauth', '-c', 'owner', '-p', 'owner password');
    }
  });

  it('of another TPM says so', async () => {
    const key = await generate('moved.pem', ...p256);
    await using other = await startSwtpm();
    await using signer = await open(key, { device: other.socket });
    expect(await codeOf(signer.sign(message))).toBe('KEY_INVALID');
    expect(await other.leftovers()).toEqual([]);
  });

  it('damaged is a clear error, whatever byte it is', async () => {
    const key = await generate('damaged.pem', ...p256);
    const emptyAuth = Buffer.from(key).indexOf(Buffer.from('a003010101', 'hex')) + 4;
    for (let position = 0; position < key.length; position += 1) {
      // Another value than 0 there is no damage.
      if (position === emptyAuth) continue;
      const damaged = Uint8Array.from(key);
      damaged.set([(damaged[position] ?? 0) ^ (1 << (position % 8))], position);
      const outcome = await codeOf(open(damaged).then((signer) => signer.sign(message)));
      expect(
        ['KEY_INVALID', 'KEY_UNSUPPORTED', 'PASSWORD_REQUIRED', 'SIGNING_FAILED'],
        `byte ${position}: ${String(outcome)}`,
      ).toContain(outcome);
    }
  });
});

describe('TSS2 PEM made by tpm2-tools', () => {
  // What tpm2_encodeobject writes names the owner when the parent is a transient object.
  const template = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt';

  it.each([
    ['owner', 'o', 0x40000001],
    ['endorsement', 'e', 0x4000000b],
    ['platform', 'p', 0x4000000c],
    ['null', 'n', 0x40000007],
  ])('below the %s hierarchy', async (_, hierarchy, handle) => {
    const primary = ['-C', hierarchy, '-G', 'ecc256:aes128cfb', '-a', template, '-c', 'primary.ctx'];
    await tpm.tpm2('createprimary', '-Q', ...primary);
    const key = ['-C', 'primary.ctx', '-G', 'ecc256', '-a', signing, '-u', 'key.pub', '-r', 'key.priv'];
    await tpm.tpm2('create', '-Q', ...key);
    const genconf = [
      'asn1=SEQUENCE:key',
      '[key]',
      'type=OID:2.23.133.10.1.3',
      'emptyAuth=EXPLICIT:0,BOOLEAN:TRUE',
      `parent=INTEGER:${handle}`,
      `public=FORMAT:HEX,OCTETSTRING:${(await readFile(join(tpm.directory, 'key.pub'))).toString('hex')}`,
      `private=FORMAT:HEX,OCTETSTRING:${(await readFile(join(tpm.directory, 'key.priv'))).toString('hex')}`,
    ];
    await writeFile(join(tpm.directory, 'key.conf'), genconf.join('\n'));
    await tpm.openssl('asn1parse', '-noout', '-genconf', 'key.conf', '-out', 'key.der');
    await using signer = await open(await readFile(join(tpm.directory, 'key.der')));
    await expectVerifies(signer);
  });

  it('by tpm2_encodeobject, whose 5.4 writes emptyAuth the wrong way round', async () => {
    await tpm.tpm2('createprimary', '-Q', '-C', 'o', '-G', 'ecc', '-c', 'primary.ctx');
    await tpm.tpm2('evictcontrol', '-Q', '-C', 'o', '-c', 'primary.ctx', '0x81000002');
    const parts = ['-C', '0x81000002', '-u', 'key.pub', '-r', 'key.priv'];
    await tpm.tpm2('create', '-Q', ...parts, '-G', 'rsa2048', '-a', signing, '-p', 'key password');
    await tpm.tpm2('encodeobject', ...parts, '-p', '-o', 'encoded.pem');
    await using signer = await open(await readKey('encoded.pem'), { password: from('key password') });
    await expectVerifies(signer);

    await tpm.tpm2('create', '-Q', ...parts, '-G', 'rsa2048', '-a', signing);
    await tpm.tpm2('encodeobject', ...parts, '-o', 'encoded.pem');
    await using plain = await open(await readKey('encoded.pem'), { password: from('') });
    await expectVerifies(plain);
  });
});

describe('the bus', () => {
  it('carries no password, whoever listens', async () => {
    const heard: Buffer[] = [];
    const tap = createServer((client) => {
      const upstream = connect(tpm.socket);
      for (const [from_, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        from_.on('data', (chunk) => {
          heard.push(chunk);
          to.write(chunk);
        });
        from_.on('error', () => undefined).on('close', () => to.destroy());
      }
    });
    await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
    try {
      await tpm.persist('0x81000107', '-G', 'rsa2048', '-a', signing, '-p', 'canary in the key');
      const device = `127.0.0.1:${(tap.address() as AddressInfo).port}`;
      await using signer = await open(0x81000107, { device, password: from('canary in the key') });
      await expectVerifies(signer);
      expect(Buffer.concat(heard).length).toBeGreaterThan(1000);
      expect(Buffer.concat(heard).includes('canary in the key')).toBe(false);
    } finally {
      tap.close();
    }
  });
});
