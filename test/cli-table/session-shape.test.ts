import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readFast } from '../../src/cli/fast-path.ts';
import { commands } from '../../src/cli/options.ts';
import { sessionShape } from '../../src/cli/session-shape.ts';

let folder = '';
const file = (name: string) => path.join(folder, name);
const pem = (label: string, text: string) => `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rolesanywhere-shape-'));
  writeFileSync(file('leaf.pem'), pem('CERTIFICATE', 'AAAA'));
  writeFileSync(file('both.pem'), pem('PRIVATE KEY', 'KEYKEY') + pem('CERTIFICATE', 'AAAA'));
  writeFileSync(file('leaf.p12'), Buffer.from([0x30, 0x82, 1, 2, 3]));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

const required = ['--trust-anchor-arn', 'anchor', '--profile-arn', 'profile', '--role-arn', 'role'];

function shape(...words: string[]): Promise<string | undefined> {
  const reading = readFast(['credential-process', ...required, ...words]);
  if (reading?.command !== 'credential-process') throw new Error('not a command line');
  return sessionShape(reading.values);
}

const usual = () => ['--certificate', file('leaf.pem'), '--private-key', file('leaf.key')];

describe('what shapes a session', () => {
  it('is the same for the same command line, in whatever order', async () => {
    expect(await shape(...usual())).toBe(await shape(...usual().slice(2), ...usual().slice(0, 2)));
  });

  // Every option that takes a value or is a flag, so that a new one is thought of.
  it.each(Object.entries(commands['credential-process'].options))('--%s', async (name, { kind }) => {
    const nothing = ['cache', 'no-cache', 'debug', 'timeout', 'with-proxy', 'no-proxy', 'reuse-pin'];
    const isNothing = nothing.includes(name) || name.includes('password');
    writeFileSync(file('other.pem'), pem('CERTIFICATE', 'BBBB'));
    const value = name === 'instance-property' ? 'a=b' : file('other.pem');
    const more = kind === 'flag' ? [`--${name}`] : [`--${name}`, value];
    const [without, first] = await Promise.all([shape(...usual()), shape(...usual(), ...more)]);
    expect(first).toBeTypeOf('string');
    expect(first === without).toBe(isNothing);
  });

  it.each([
    'AWS_ENDPOINT_URL_ROLESANYWHERE',
    'AWS_ENDPOINT_URL',
    'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
    'AWS_USE_FIPS_ENDPOINT',
    'AWS_USE_DUALSTACK_ENDPOINT',
    'AWS_CA_BUNDLE',
  ])('is also %s', async (name) => {
    const before = await shape(...usual());
    vi.stubEnv(name, 'set');
    expect(await shape(...usual())).not.toBe(before);
  });

  it.each<[string, (source: string) => string[]]>([
    ['certificate', (source) => ['--certificate', source, '--private-key', 'leaf.key']],
    ['intermediates', (source) => [...usual(), '--intermediates', source]],
    ['key that holds its certificate', (source) => ['--private-key', source]],
    ['selector', (source) => [...usual(), '--cert-selector', `file://${source}`]],
  ])('is what the file of the %s holds, not its name alone', async (_, words) => {
    const contents = ['AAAA', 'BBBB'].flatMap((text) => [
      Buffer.from(pem('CERTIFICATE', text)),
      Buffer.from(`0${text}`),
    ]);
    const shapes = new Set<string | undefined>();
    for (const each of contents) {
      writeFileSync(file('renewed'), each);
      shapes.add(await shape(...words(file('renewed'))));
    }
    expect(shapes.size).toBe(contents.length);
    expect(shapes).not.toContain(undefined);
  });

  it('is what a variable holds', async () => {
    vi.stubEnv('LEAF', pem('CERTIFICATE', 'AAAA'));
    const first = await shape('--certificate', 'env:LEAF');
    vi.stubEnv('LEAF', pem('CERTIFICATE', 'BBBB'));
    expect(await shape('--certificate', 'env:LEAF')).not.toBe(first);
  });

  it('cannot be told of streams and of files that are not there', async () => {
    for (const source of ['-', 'fd:3', '/dev/null', '/nonexistent', folder, 'env:ROLESANYWHERE_TEST_UNSET']) {
      expect(await shape('--certificate', source)).toBeUndefined();
      expect(await shape(...usual(), '--intermediates', source)).toBeUndefined();
      expect(await shape('--private-key', source)).toBeUndefined();
    }
    // A key is not read where the certificate says which it has to be.
    expect(await shape('--certificate', file('leaf.pem'), '--private-key', '-')).toBeTypeOf('string');
  });

  it('holds no password, PIN or key', async () => {
    const secrets = [
      ['--pkcs8-password', 'CANARY'],
      ['--tpm-key-password', 'CANARY'],
      ['--pkcs11-lib', 'x', '--private-key', 'pkcs11:token=a;object=b?pin-value=CANARY&module-name=c'],
      ['--private-key', 'pkcs11:token=a;PIN-VALUE=CANARY?pin-source=file:CANARY'],
    ];
    for (const words of secrets) {
      const text = await shape('--certificate', file('leaf.pem'), ...words);
      expect(text).toBeTypeOf('string');
      expect(text).not.toContain('CANARY');
      expect(await shape('--certificate', 'pkcs11:token=a?pin-value=CANARY', ...words)).not.toContain(
        'CANARY',
      );
    }
    for (const option of ['--certificate', '--private-key']) {
      const text = await shape(option, file('both.pem'));
      expect(text).toContain('AAAA');
      expect(text).not.toContain('KEYKEY');
    }
    expect(await shape('--certificate', 'pkcs11:token=a?pin-value=1')).toBe(
      await shape('--certificate', 'pkcs11:token=a?pin-value=2'),
    );
    expect(await shape('--certificate', 'pkcs11:token=a')).not.toBe(
      await shape('--certificate', 'pkcs11:token=b'),
    );
  });
});
