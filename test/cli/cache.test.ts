import { spawn } from 'node:child_process';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatEntry, parseEntry } from '../../src/credentials/cache/entry.ts';
import { run, runProgram } from '../support/command.ts';
import type { Outcome, RunOptions } from '../support/command.ts';
import { commandWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { askImds, startServe } from '../support/serve-process.ts';
import { requirePart } from '../support/system-parts.ts';

/** Stands before the emulator: it can be down, or hold requests back. */
interface Gate {
  readonly endpoint: string;
  mode: 'open' | 'silent' | 'down';
  /** How many requests came. */
  requests: number;
}

let folder = '';
let cache = '';
let emulator: EmulatorProcess;
let server: Server;
const gate: Gate & { endpoint: string } = { endpoint: '', mode: 'open', requests: 0 };
const file = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere cache-'));
  emulator = await startEmulatorProcess(['--pki', folder]);
  server = createServer((incoming, outgoing) => {
    gate.requests += 1;
    if (gate.mode === 'down') incoming.socket.destroy();
    if (gate.mode !== 'open') return;
    const { method, headers, url } = incoming;
    const onward = request(emulator.endpoint + String(url), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gate.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await emulator.close();
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  cache = path.join(await mkdtemp(path.join(tmpdir(), 'rolesanywhere cache-')), 'cache');
  Object.assign(gate, { mode: 'open', requests: 0 });
});

afterEach(async () => {
  await rm(path.dirname(cache), { recursive: true });
});

const arns = () => [
  ...['--trust-anchor-arn', emulator.trustAnchorArn, '--profile-arn', emulator.profileArn],
  ...['--role-arn', emulator.roleArn],
];
const pair = () => ['--certificate', file('leaf.pem'), '--private-key', file('leaf.key')];
const words = () => ['credential-process', '--endpoint', gate.endpoint, ...arns(), ...pair(), '--cache'];

function session(more: readonly string[] = [], { env, ...options }: RunOptions = {}): Promise<Outcome> {
  return run([...words(), ...more], { env: { ROLESANYWHERE_CACHE_DIR: cache, ...env }, ...options });
}

/** The access key that was printed, together with everything else that the AWS CLI needs. */
function accessKey({ code, stdout, stderr }: Outcome, warning = /^$/): string {
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(warning) as string });
  const document = JSON.parse(stdout) as Readonly<Record<string, string>>;
  expect(document).toMatchObject({
    Version: 1,
    SecretAccessKey: expect.stringMatching(/^\S{40}$/) as string,
  });
  expect(Date.parse(document['Expiration'] ?? '')).toBeGreaterThan(Date.now());
  expect(document['AccessKeyId']).toMatch(/^ASIA[A-Z0-9]{16}$/);
  return document['AccessKeyId'] ?? '';
}

/** Lets the entries in the cache age. */
async function age(seconds: number): Promise<void> {
  for (const name of (await readdir(cache)).filter((each) => each.endsWith('.json'))) {
    const text = await readFile(path.join(cache, name), 'utf8');
    const { shape } = JSON.parse(text.slice(17)) as { shape: string };
    const entry = parseEntry(text, shape);
    if (entry === undefined) throw new Error('no entry');
    const before = (date: Date) => new Date(date.getTime() - seconds * 1000);
    const { opened, refreshAt, expiration, payload } = entry;
    const aged = { opened: before(opened), refreshAt: before(refreshAt), expiration: before(expiration) };
    await writeFile(path.join(cache, name), formatEntry(shape, { ...aged, payload }));
  }
}

/** Seconds. */
async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  return [await work(), (performance.now() - start) / 1000];
}

describe('a shared session', () => {
  it('is opened once by 50 cold starts at once, and printed by each', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => session()));
    expect(new Set(outcomes.map((outcome) => accessKey(outcome))).size).toBe(1);
    expect(gate.requests).toBe(1);
    expect(await emulator.asked('CreateSession')).toBe(1);
  });

  it('needs neither key nor service once it is there', async () => {
    await writeFile(file('copy.key'), await readFile(file('leaf.key')), { mode: 0o600 });
    const more = ['--private-key', file('copy.key')];
    const first = accessKey(await session(more));
    await unlink(file('copy.key'));
    gate.mode = 'down';
    expect(accessKey(await session(more))).toBe(first);
    expect(accessKey(await session([...more, '--key-password-from', 'file:/nonexistent']))).toBe(first);
    expect(gate.requests).toBe(1);
  });

  it('is one for credential-process, serve and update', async () => {
    const env = { ROLESANYWHERE_CACHE_DIR: cache, AWS_SHARED_CREDENTIALS_FILE: file('credentials') };
    await using serve = await startServe([...words().slice(1), '--port', '0'], { env });
    const update = await run(['update', ...words().slice(1), '--once'], { env });
    expect(update).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
    const key = accessKey(await session());
    expect(await readFile(file('credentials'), 'utf8')).toContain(`aws_access_key_id = ${key}\n`);
    expect(await askImds(serve.name)).toMatchObject({ AccessKeyId: key });
    expect(gate.requests).toBe(1);
  });

  it('is shared only where that was asked for', async () => {
    const bare = words().slice(0, -1);
    const env = { ROLESANYWHERE_CACHE_DIR: cache };
    const key = async (more: string[], variables: Record<string, string> = {}) =>
      accessKey(await run([...bare, ...more], { env: { ...env, ...variables } }));
    const shared = await key(['--cache']);
    expect(await key([], { ROLESANYWHERE_CACHE: '1' })).toBe(shared);
    expect(await key(['--cache'], { ROLESANYWHERE_CACHE: '0' })).toBe(shared);
    expect(await key([])).not.toBe(shared);
    expect(await key([], { ROLESANYWHERE_CACHE: 'false' })).not.toBe(shared);
    expect(await key(['--no-cache'], { ROLESANYWHERE_CACHE: '1' })).not.toBe(shared);
    expect(await run(bare, { env: { ROLESANYWHERE_CACHE: 'si' } })).toMatchObject({ code: 2, stdout: '' });
    expect((await run([...bare, '--cache', '--no-cache'])).code).toBe(2);
  });

  it('lies in ROLESANYWHERE_CACHE_DIR, XDG_CACHE_HOME or ~/.cache, for this user alone', async () => {
    const home = path.dirname(cache);
    const places: readonly [Record<string, string>, string][] = [
      [{ HOME: `${home}/1` }, `${home}/1/.cache/rolesanywhere`],
      [{ HOME: `${home}/2`, XDG_CACHE_HOME: 'relative' }, `${home}/2/.cache/rolesanywhere`],
      [{ HOME: `${home}/2`, XDG_CACHE_HOME: `${home}/3` }, `${home}/3/rolesanywhere`],
      [{ HOME: `${home}/2`, XDG_CACHE_HOME: `${home}/3`, ROLESANYWHERE_CACHE_DIR: `${home}/4` }, `${home}/4`],
    ];
    for (const [env, place] of places) {
      accessKey(await run(words(), { env }));
      expect((await stat(place)).mode & 0o777).toBe(0o700);
      const names = await readdir(place);
      expect(names).toEqual([expect.stringMatching(/^[\da-f]{16}\.json$/)]);
      expect((await stat(path.join(place, names[0] ?? ''))).mode & 0o777).toBe(0o600);
    }
    expect(gate.requests).toBe(places.length);
  });

  it('is another one after the certificate was renewed', async () => {
    const first = accessKey(await session());
    const renewed = await startEmulatorProcess(['--pki', await mkdtemp(path.join(folder, 'renewed-'))]);
    await renewed.close();
    const leaf = await readFile(file('leaf.pem'));
    await writeFile(file('copy.pem'), leaf);
    const more = ['--certificate', file('copy.pem')];
    const copied = accessKey(await session(more));
    expect(copied).not.toBe(first);
    expect(accessKey(await session(more))).toBe(copied);
    // The new one is of no authority that the emulator knows: what it says shows that it was asked.
    const [directory] = (await readdir(folder)).filter((name) => name.startsWith('renewed-'));
    await writeFile(file('copy.pem'), await readFile(file(`${String(directory)}/leaf.pem`)));
    const other = file(`${String(directory)}/leaf.key`);
    expect(await session([...more, '--private-key', other])).toMatchObject({ code: 4, stdout: '' });
  });

  it('is not shared when its certificate comes from a stream', async () => {
    const both = Buffer.concat([await readFile(file('leaf.key')), await readFile(file('leaf.pem'))]);
    const stream = ['--certificate', '-', '--private-key', '-'];
    const first = accessKey(await session(stream, { input: both }), /not shared/);
    expect(accessKey(await session(stream, { input: both }), /not shared/)).not.toBe(first);
    expect(gate.requests).toBe(2);
  });
});

describe('ahead of its end', () => {
  it('is renewed by the next call', async () => {
    const first = accessKey(await session());
    await age(2600);
    expect(accessKey(await session())).toBe(first);
    await age(200);
    const second = accessKey(await session());
    expect(second).not.toBe(first);
    expect(accessKey(await session())).toBe(second);
    expect(gate.requests).toBe(2);
  });

  it('is printed with a warning while the service is down, and nobody waits for that twice', async () => {
    const first = accessKey(await session());
    await age(2800);
    gate.mode = 'silent';
    const [slow, seconds] = await timed(() => session());
    expect(accessKey(slow, /^rolesanywhere: warning: no new session/)).toBe(first);
    expect(seconds).toBeGreaterThan(4);
    expect(seconds).toBeLessThan(10);
    const asked = gate.requests;
    for (let i = 0; i < 3; i++) expect(accessKey(await session(), /warning: no new session/)).toBe(first);
    expect(gate.requests).toBe(asked);
  });

  it('gives way to the failure once it has ended', async () => {
    accessKey(await session());
    await age(3600);
    gate.mode = 'down';
    const more = ['--timeout', '1'];
    expect(await session(more)).toMatchObject({ code: 5, stdout: '' });
    const asked = gate.requests;
    const { code, stdout, stderr } = await session(more);
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toMatch(/another process/);
    expect(gate.requests).toBe(asked);
  });
});

describe('a process that holds the lock', () => {
  async function holder() {
    Object.assign(gate, { mode: 'silent', requests: 0 });
    const [program, ...first] = commandWords();
    const child = spawn(program, [...first, ...words()], {
      env: { PATH: process.env['PATH'], ROLESANYWHERE_CACHE_DIR: cache },
      stdio: 'ignore',
    });
    const asks = async (): Promise<void> => {
      if (gate.requests > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
      await asks();
    };
    await asks();
    expect((await readdir(cache)).join()).toContain('.lock');
    gate.mode = 'open';
    return child;
  }

  it('and is killed holds nobody up for more than 3 s', async () => {
    const [, alone] = await timed(() => session(['--cache=false']));
    (await holder()).kill('SIGKILL');
    const [outcomes, seconds] = await timed(() => Promise.all([session(), session(), session()]));
    expect(new Set(outcomes.map((outcome) => accessKey(outcome))).size).toBe(1);
    expect(seconds).toBeLessThan(3 + 3 * alone);
    expect((await readdir(cache)).join()).not.toContain('.lock');
  });

  it('and is stopped, or hangs, holds nobody up for longer than --timeout', async () => {
    const stopped = await holder();
    stopped.kill('SIGSTOP');
    const [outcome, seconds] = await timed(() => session(['--timeout', '10']));
    accessKey(outcome);
    expect(seconds).toBeLessThan(10);
    stopped.kill('SIGKILL');
    await rm(cache, { recursive: true });

    const hanging = await holder();
    const [late, waited] = await timed(() => session(['--timeout', '4']));
    hanging.kill('SIGKILL');
    accessKey(late);
    expect(waited).toBeGreaterThan(4);
    expect(waited).toBeLessThan(8);
  });
});

describe('a cache that cannot be used is done without, with a warning', () => {
  it('where others have access', async () => {
    await mkdir(cache);
    await chmod(cache, 0o750);
    accessKey(
      await session(),
      /^rolesanywhere: warning: the cache .* is not used: other users .*\n.*hint: .*0700/,
    );
    expect(await readdir(cache)).toEqual([]);
    await rm(cache, { recursive: true });
    await symlink(folder, cache);
    accessKey(await session(), /symbolic link/);
  });

  // Root may hand files over; to everybody else, what is root's is another's.
  const isRoot = process.getuid?.() === 0;
  it(`where it belongs to another user than ${isRoot ? 'root' : 'this one'}`, async () => {
    const foreign = isRoot ? cache : '/usr';
    if (isRoot) {
      await mkdir(cache, { mode: 0o700 });
      await chown(cache, 65_534, 65_534);
    }
    const warning = /warning: the cache .* is not used: it belongs to another user\n/;
    accessKey(await session([], { env: { ROLESANYWHERE_CACHE_DIR: foreign } }), warning);
    if (!isRoot) return;
    expect(await readdir(cache)).toEqual([]);

    // Nor is a session that another user has put there.
    await chown(cache, 0, 0);
    const planted = accessKey(await session());
    for (const name of await readdir(cache)) await chown(path.join(cache, name), 65_534, 65_534);
    expect(accessKey(await session(), warning)).not.toBe(planted);
  });

  it('where there is no HOME', async () => {
    accessKey(await run(words()), /^rolesanywhere: warning: there is no place for the cache/);
  });

  it.each([
    ['on a full disk', 'head -c 1M /dev/zero > "$CACHE/fill" 2> /dev/null', /the disk is full/],
    ['on a read-only one', 'mount -o remount,ro "$CACHE"', /the file system is read-only/],
  ])('%s', async (_, spoil, warning) => {
    await mkdir(cache);
    const script = `mount -t tmpfs -o size=16k,mode=700 tmpfs "$CACHE" || exit 99
      ${spoil}
      "$@"`;
    const outcome = await runProgram(
      requirePart('unshare'),
      ['-rm', requirePart('bash'), '--norc', '-c', script, 'bash', ...commandWords(), ...words()],
      { env: { CACHE: cache, ROLESANYWHERE_CACHE_DIR: cache } },
    );
    accessKey(outcome, warning);
  });

  it("where a pipe is in its entry's place, which nobody waits for", async () => {
    accessKey(await session());
    const [name = ''] = await readdir(cache);
    await rm(path.join(cache, name));
    await runProgram('mkfifo', ['-m', '600', path.join(cache, name)]);
    accessKey(await session(), /warning: the cache .* is not used: it is no file\n/);
  });

  it('where its entry is damaged, which is replaced without a word', async () => {
    const first = accessKey(await session());
    const [name = ''] = await readdir(cache);
    await writeFile(path.join(cache, name), 'damaged');
    const second = accessKey(await session());
    expect(second).not.toBe(first);
    expect(accessKey(await session())).toBe(second);
  });
});

it('holds no password or PIN, and says none under --debug', async () => {
  const { stderr } = await session(['--pkcs8-password', 'canary', '--debug']);
  expect(stderr).not.toContain('canary');
  const [name = ''] = await readdir(cache);
  expect(await readFile(path.join(cache, name), 'utf8')).not.toContain('canary');
  const again = await session(['--debug']);
  expect(again.stderr).toMatch(/a session from the cache/);
  const { SecretAccessKey, SessionToken } = JSON.parse(again.stdout) as Record<string, string>;
  for (const secret of [SecretAccessKey, SessionToken]) expect(again.stderr).not.toContain(secret);
});
