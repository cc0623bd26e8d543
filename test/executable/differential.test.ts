import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFast } from '../../src/cli/fast-path.ts';
import { commandNames } from '../../src/cli/options.ts';
import { runProgram } from '../support/command.ts';
import type { Outcome, RunOptions } from '../support/command.ts';
import { commandLine } from '../support/command-lines.ts';
import { startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { executableFile } from '../support/executable.ts';
import { writePki } from '../support/pki-files.ts';

// Generated command lines, each run on Node.js and in the executable: whatever either writes, and its exit code, is equal.
const programs = {
  node: [process.execPath, resolve('bin/rolesanywhere.js')],
  executable: [executableFile],
} as const;

let folder: string;
let emulator: EmulatorProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'differential '));
  const pki = await writePki(folder);
  emulator = await startEmulatorProcess(['--trust-anchor', pki.ca]);
  const [ca, rsa] = await Promise.all([readFile(pki.ca, 'utf8'), readFile(pki.rsa.certificate, 'utf8')]);
  await writeFile(join(folder, 'bundle.pem'), ca + rsa);
  await writeFile(join(folder, 'cut.pem'), rsa.slice(0, 300));
  await writeFile(join(folder, 'empty'), '');
  await writeFile(join(folder, 'secret'), 'secret\n');
  // Each in a folder of its own, for what it may write.
  const names = await readdir(folder);
  for (const program of Object.keys(programs)) {
    await mkdir(join(folder, program));
    for (const name of names) await copyFile(join(folder, name), join(folder, program, name));
  }
});

afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

/** What is new each time: the runtime's name, credentials, times, EC signatures, and where in the code an error came from. */
function comparable({ code, signal, stdout, stderr }: Outcome) {
  return {
    code,
    signal,
    stdout: stdout
      .replace(/("(?:AccessKeyId|SecretAccessKey|SessionToken)":)"[^"]+"/g, '$1"…"')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…')
      .replace(/, (?:Node\.js|Bun) [\d.]+\)$/m, ', …)'),
    stderr: stderr
      .replace(/^rolesanywhere: debug: +at .*\n/gm, '')
      .replace(/(?<=^rolesanywhere: debug: ) *[\d.]+ ms/gm, '…')
      .replace(/after \d+ ms/g, 'after … ms')
      .replace(/request id [\da-f-]+/g, 'request id …')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…'),
  };
}

/** @returns the outcome, which is the same for both */
async function runBoth(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [onNode, inExecutable] = await Promise.all(
    (['node', 'executable'] as const).map((name) => {
      const [program, ...first] = programs[name];
      return runProgram(program, [...first, ...words], { cwd: join(folder, name), ...options });
    }),
  );
  if (onNode === undefined || inExecutable === undefined) throw new Error('neither ran');
  expect(comparable(inExecutable)).toEqual(comparable(onNode));
  return onNode;
}

const asWords = (words: readonly string[]) => !words.some((word) => word.includes('\0'));

describe('a generated command line', () => {
  it.each(commandNames)('of %s', { timeout: 300_000 }, async (name) => {
    const staysUp = (words: readonly string[]) => readFast(words)?.command === 'emulator';
    const lines = commandLine(name).filter((words) => asWords(words) && !staysUp(words));
    await fc.assert(
      fc.asyncProperty(lines, async (words) => {
        const { code } = await runBoth(words);
        expect(code).not.toBe(1);
      }),
      { numRuns: 20 },
    );
  });
});

/** Sometimes the option, with one of the values. */
const maybe = (name: string, ...values: readonly string[]) =>
  fc.option(fc.constantFrom(...values.map((value) => [`--${name}`, value])), { nil: [], freq: 1 });
const maybeFlag = (name: string) => fc.constantFrom([], [], [`--${name}`]);
const strange = [
  'ca.pem',
  'cut.pem',
  'empty',
  'missing',
  '.',
  'empty/x',
  'env:NOT_SET',
  'fd:9',
  '-',
  'handle:0x8',
  'pkcs11:x',
  '',
];
const pair = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(['rsa.pem', 'rsa.key'], ['bundle.pem', 'rsa.key'], ['ec.pem', 'ec.key']),
  },
  fc.tuple(
    fc.constantFrom('rsa.pem', 'ec.pem', ...strange),
    fc.constantFrom('rsa.key', 'ec.key', 'rsa.pem', ...strange),
  ),
);
const rsa = ['--certificate', 'rsa.pem', '--private-key', 'rsa.key'];
const missing = ['--certificate', 'missing', '--private-key', 'missing'];
const wrong = [...rsa, '--cert-selector', '['];
const identity = fc
  .tuple(
    pair.map(([certificate = '', key = '']) => ['--certificate', certificate, '--private-key', key]),
    maybe('key-password-from', 'file:secret', 'file:missing', 'env:NOT_SET', 'fd:9', 'stdin', 'nonsense'),
    maybe(
      'cert-selector',
      'Key=x509Subject,Value=CN=x',
      'Key=x509Serial,Value=zz',
      '{"Key":"x509Serial","Value":"01"}',
      'file://missing',
      '[',
      '',
    ),
    maybeFlag('use-latest-expiring-certificate'),
    maybeFlag('debug'),
  )
  .map((parts) => parts.flat());

// Where chance makes only lines that fail in one way, the examples still reach every outcome.
describe('a generated command line that is in order', () => {
  it('of sign-string', { timeout: 300_000 }, async () => {
    const lines = fc
      .tuple(
        identity,
        maybe('digest', 'SHA256', 'SHA384', 'SHA512', 'MD5'),
        maybe('format', 'json', 'text', 'bin', 'xml'),
      )
      // EC signatures are random.
      .filter(([words]) => !words.includes('ec.key'));
    const codes = new Set<number | null>();
    await fc.assert(
      fc.asyncProperty(lines, async (parts) => {
        codes.add((await runBoth(['sign-string', ...parts.flat()])).code);
      }),
      {
        numRuns: 60,
        examples: [rsa, wrong, missing].map((words) => [[words, [], []]]),
      },
    );
    expect(codes).toEqual(new Set([0, 2, 3]));
  });

  it('of read-certificate-data', { timeout: 300_000 }, async () => {
    const certificate = fc.constantFrom(
      'rsa.pem',
      'ec.pem',
      'bundle.pem',
      'ca.pem',
      'server.pem',
      ...strange,
    );
    const lines = fc.tuple(
      certificate.map((source) => ['--certificate', source]),
      maybe(
        'cert-selector',
        'Key=x509Issuer,Value=CN=Test Root',
        'Key=x509Subject,Value=CN=test leaf',
        'Key=x',
        '[',
      ),
    );
    const codes = new Set<number | null>();
    await fc.assert(
      fc.asyncProperty(lines, async (parts) => {
        codes.add((await runBoth(['read-certificate-data', ...parts.flat()])).code);
      }),
      {
        numRuns: 60,
        examples: [
          [[['--certificate', 'rsa.pem'], []]],
          [
            [
              ['--certificate', 'rsa.pem'],
              ['--cert-selector', '['],
            ],
          ],
          [[['--certificate', 'missing'], []]],
        ],
      },
    );
    expect(codes).toEqual(new Set([0, 2, 3]));
  });

  it('of credential-process', { timeout: 300_000 }, async () => {
    const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
    const arns = ['--trust-anchor-arn', trustAnchorArn, '--profile-arn', profileArn, '--role-arn'];
    const lines = fc.tuple(
      fc.constantFrom(roleArn, roleArn, `${roleArn}-of-another`),
      fc.constantFrom(
        ...Array.from({ length: 8 }, () => endpoint),
        `${endpoint}/prefix`,
        'http://127.0.0.1:1',
        endpoint.replace('http', 'https'),
        'ftp://x',
      ),
      identity,
      maybe('session-duration', '900', '43200', '43201', '1e3'),
      maybe('role-session-name', 'name', 'a name'),
      maybe('region', 'eu-west-1', 'no region'),
      maybe('intermediates', 'ca.pem', 'ec.pem', 'missing'),
      maybeFlag('cache'),
    );
    const codes = new Set<number | null>();
    await fc.assert(
      fc.asyncProperty(lines, async ([role, url, ...parts]) => {
        const words = ['credential-process', ...arns, role, '--endpoint', url, ...parts.flat()];
        codes.add((await runBoth(words, { env: { ROLESANYWHERE_CACHE_DIR: 'cache' } })).code);
      }),
      {
        numRuns: 80,
        examples: [
          [[roleArn, endpoint, rsa, [], [], [], [], []]],
          [[roleArn, endpoint, wrong, [], [], [], [], []]],
          [[roleArn, endpoint, missing, [], [], [], [], []]],
          [[`${roleArn}-of-another`, endpoint, rsa, [], [], [], [], []]],
          [[roleArn, 'http://127.0.0.1:1', rsa, [], [], [], [], []]],
        ],
      },
    );
    for (const code of [0, 2, 3, 4, 5]) expect(codes).toContain(code);
  });
});
