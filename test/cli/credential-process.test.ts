import { mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/options.ts';
import { run, runProgram } from '../support/command.ts';
import type { Outcome, RunOptions } from '../support/command.ts';
import {
  commandFile,
  commandWords,
  shellCommand,
  startEmulatorProcess,
  sessionWords,
} from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { startServe } from '../support/serve-process.ts';
import { requirePart } from '../support/system-parts.ts';

let folder = '';
let emulator: EmulatorProcess;
const file = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere session-'));
  emulator = await startEmulatorProcess(['--pki', folder]);
  const [key, leaf] = await Promise.all([readFile(file('leaf.key')), readFile(file('leaf.pem'))]);
  await writeFile(file('both.pem'), Buffer.concat([key, leaf]), { mode: 0o600 });
});

afterAll(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

const arns = () => [
  ...['--trust-anchor-arn', emulator.trustAnchorArn, '--profile-arn', emulator.profileArn],
  ...['--role-arn', emulator.roleArn],
];

async function session(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run(['credential-process', '--endpoint', emulator.endpoint, ...arns(), ...words], options);
}

const pair = () => ['--certificate', file('leaf.pem'), '--private-key', file('leaf.key')];

/** The document that the AWS CLI reads, held to be alone on stdout. */
function credentials({ code, stdout, stderr }: Outcome): Readonly<Record<string, unknown>> {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\{.*\}\n$/);
  const document = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
  expect(document).toEqual({
    Version: 1,
    AccessKeyId: expect.stringMatching(/^ASIA[A-Z0-9]{16}$/) as string,
    SecretAccessKey: expect.stringMatching(/^\S{40}$/) as string,
    SessionToken: expect.stringMatching(/^\S{20,}$/) as string,
    Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
  });
  return document;
}

function lifetime(document: Readonly<Record<string, unknown>>): number {
  return (Date.parse(String(document['Expiration'])) - Date.now()) / 1000;
}

describe('a session', () => {
  it('is printed as one JSON document with a line end, for an hour', async () => {
    const seconds = lifetime(credentials(await session(pair())));
    expect(seconds).toBeGreaterThan(3600 - 60);
    expect(seconds).toBeLessThan(3600 + 60);
  });

  // In hexadecimal and octal too, as the old helper takes numbers.
  it.each(['900', '0x384', '01604'])('lasts as long as asked: %s', async (duration) => {
    const seconds = lifetime(credentials(await session([...pair(), `--session-duration=${duration}`])));
    expect(seconds).toBeGreaterThan(900 - 60);
    expect(seconds).toBeLessThan(900 + 60);
  });

  it('takes every spelling of the old helper, under its name', async () => {
    const as = file('aws_signing_helper');
    await symlink(commandFile, as);
    const words = ['credential-process', ...arns(), ...pair()];
    const spelled = words.map((word) => word.replace(/^--/, '-'));
    credentials(
      await run([...spelled, `-endpoint=${emulator.endpoint}`, '-debug=false', '--reuse-pin=F'], { as }),
    );
  });

  it('takes key and certificate from one file, standard input, variables and descriptors', async () => {
    const both = await readFile(file('both.pem'), 'utf8');
    credentials(await session(['--certificate', file('both.pem')]));
    credentials(await session(['--certificate=-'], { input: both }));
    credentials(await session(['--certificate', '-', '--private-key', '-'], { input: both }));
    credentials(await session(['--certificate', 'env:BOTH'], { env: { BOTH: both } }));
    const handle = await open(file('both.pem'));
    try {
      credentials(await session(['--certificate', 'fd:3'], { descriptors: [handle.fd] }));
    } finally {
      await handle.close();
    }
  });

  it('takes the pipe that a shell puts in place of a file', async () => {
    const script = 'both=$1; shift; "$@" --certificate fd:3 3< <(sleep 0.1; cat "$both")';
    const words = ['credential-process', '--endpoint', emulator.endpoint, ...arns()];
    credentials(
      await runProgram(requirePart('bash'), [
        ...['--norc', '-c', script, 'bash', file('both.pem'), ...commandWords(), ...words],
      ]),
    );
  });

  it('needs no HOME, and no profile that AWS_PROFILE names', async () => {
    credentials(await session(pair(), { env: { AWS_PROFILE: 'does-not-exist' } }));
    credentials(
      await session(pair(), { env: { HOME: '/nonexistent', AWS_CONFIG_FILE: '/nonexistent/config' } }),
    );
  });

  it('takes the endpoint from the option before the environment', async () => {
    const words = ['credential-process', ...arns(), ...pair()];
    credentials(await run(words, { env: { AWS_ENDPOINT_URL_ROLESANYWHERE: emulator.endpoint } }));
    credentials(await session(pair(), { env: { AWS_ENDPOINT_URL_ROLESANYWHERE: 'http://127.0.0.1:1' } }));
  });

  it('is opened whatever Ctrl-D, a tty or a missing standard input do', async () => {
    const { stdout, ...rest } = await runProgram(requirePart('bash'), [
      ...['--norc', '-c', '"$@" <&-', 'bash', ...commandWords(), 'credential-process'],
      ...['--endpoint', emulator.endpoint, ...arns(), ...pair()],
    ]);
    credentials({ stdout, ...rest });
  });
});

describe('the examples of its help', () => {
  it.each(commands['credential-process'].examples.map(([line]) => line))('%s', async (line) => {
    const env = {
      ANCHOR: emulator.trustAnchorArn,
      PROFILE: emulator.profileArn,
      ROLE: emulator.roleArn,
      AWS_ENDPOINT_URL_ROLESANYWHERE: emulator.endpoint,
    };
    const script = `rolesanywhere() { ${shellCommand} "$@"; }\n${line}`;
    credentials(await runProgram(requirePart('bash'), ['--norc', '-c', script], { cwd: folder, env }));
  });
});

describe('--debug', () => {
  it('says each step with its time on stderr, and no secret', async () => {
    const { code, stdout, stderr } = await session([...pair(), '--debug']);
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as Readonly<Record<string, string>>;
    const steps = stderr.trimEnd().split('\n');
    expect(steps.length).toBeGreaterThanOrEqual(3);
    for (const step of steps) expect(step).toMatch(/^rolesanywhere: debug: +\d+\.\d ms {2}\S/);
    const key = await readFile(file('leaf.key'), 'utf8');
    const secrets = [document['SecretAccessKey'], document['SessionToken'], document['AccessKeyId']];
    secrets.push(...key.split('\n').filter((line) => line !== '' && !line.startsWith('-----')));
    for (const secret of secrets) expect(stderr).not.toContain(secret);
    expect(stderr).not.toMatch(/Signature=/i);
  });

  it('adds where an error came from', async () => {
    const words = ['--certificate', file('missing.pem'), '--private-key', file('leaf.key')];
    const [quiet, loud] = await Promise.all([session(words), session([...words, '--debug'])]);
    expect(quiet.code).toBe(3);
    expect(quiet.stderr).not.toContain('    at ');
    expect(loud).toMatchObject({ code: 3, stdout: '' });
    expect(loud.stderr).toMatch(/^rolesanywhere: debug: RolesAnywhereError CERTIFICATE_UNREADABLE$/m);
    expect(loud.stderr).toMatch(/^rolesanywhere: debug: .*ENOENT$/m);
    expect(loud.stderr.endsWith(quiet.stderr)).toBe(true);
  });
});

it('comes with one warning when the certificate will expire soon, from every command that opens it', async () => {
  const authority = makeAuthority();
  const day = 86_400_000;
  const leaf = issue(authority, {
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day / 4),
  });
  await writeFile(file('own-ca.pem'), authority.certificatePem);
  await writeFile(file('short.pem'), leaf.certificatePem + leaf.privateKeyPem, { mode: 0o600 });
  const own = await startEmulatorProcess(['--trust-anchor', file('own-ca.pem')]);
  try {
    const [, ...options] = sessionWords(own, { certificate: file('short.pem'), key: file('short.pem') });
    const env = { AWS_SHARED_CREDENTIALS_FILE: file('credentials'), ROLESANYWHERE_CACHE_DIR: file('cache') };
    for (const words of [['credential-process'], ['credential-process', '--cache'], ['update', '--once']]) {
      const { code, stderr } = await run([...words, ...options], { env });
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: expect.stringMatching(/^\S+ warning: .* will expire at /) as string,
      });
      expect(stderr.match(/will expire/g)).toHaveLength(1);
    }
    await using serve = await startServe([...options, '--port', '0'], { env });
    serve.child.kill('SIGHUP');
    await serve.logged('credentials until', serve.log().length);
    expect(serve.log().match(/will expire/g)).toHaveLength(1);
  } finally {
    await own.close();
  }
});
