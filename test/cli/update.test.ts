import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/options.ts';
import { run, runProgram } from '../support/command.ts';
import type { RunOptions } from '../support/command.ts';
import {
  commandWords,
  sessionWords,
  shellCommand,
  startEmulatorProcess,
} from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { startServiceManager } from '../support/service-manager.ts';
import { requirePart } from '../support/system-parts.ts';

let pki = '';
let home = '';
let file = '';
let emulator: EmulatorProcess;

beforeAll(async () => {
  pki = await mkdtemp(path.join(tmpdir(), 'rolesanywhere update-'));
  emulator = await startEmulatorProcess(['--pki', pki]);
});

afterAll(async () => {
  await emulator.close();
  await rm(pki, { recursive: true });
});

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'rolesanywhere home-'));
  file = path.join(home, '.aws', 'credentials');
});

afterEach(async () => {
  await rm(home, { recursive: true });
});

const words = (service = emulator): string[] => {
  const pair = { certificate: path.join(pki, 'leaf.pem'), key: path.join(pki, 'leaf.key') };
  return ['update', ...sessionWords(service, pair).slice(1)];
};
const update = (more: readonly string[] = [], options: RunOptions = {}) =>
  run([...words(), '--once', ...more], { env: { HOME: home }, ...options });

const written =
  /^aws_access_key_id = ASIA[A-Z0-9]{16}\naws_secret_access_key = \S{40}\naws_session_token = \S{20,}$/m;
const modeOf = (name: string): number => statSync(name).mode & 0o777;

/** The file before an edit, and a check that nothing but the profile's keys differs from it afterwards. */
async function prepared(text: string): Promise<(profile: string) => Promise<void>> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o600 });
  return async (profile) => {
    const after = await readFile(file, 'latin1');
    expect(after).toMatch(written);
    expect(after).toContain(`[${profile}]`);
    expect(after.replace(written, 'KEYS')).toBe(text.replace(/^aws_access_key_id = old$/m, 'KEYS'));
    expect(await readdir(path.dirname(file))).toEqual(['credentials']);
  };
}

describe('update --once', () => {
  it('makes ~/.aws/credentials, for its owner alone, and says nothing', async () => {
    expect(await update()).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
    expect((await readFile(file, 'utf8')).replace(written, 'KEYS')).toBe('[default]\nKEYS\n');
    expect([modeOf(path.dirname(file)), modeOf(file)]).toEqual([0o700, 0o600]);
    expect(await readdir(path.dirname(file))).toEqual(['credentials']);
  });

  it('keeps every other byte, mode tightened', async () => {
    const check = await prepared(
      '# mine\n[a]\naws_access_key_id = keep\n\n[b] # note\nregion = x\naws_access_key_id = old\n\n; end\n[c]\nx',
    );
    await chmod(file, 0o644);
    expect(await update(['--profile', 'b'])).toMatchObject({ code: 0, stderr: '' });
    await check('b');
    expect(modeOf(file)).toBe(0o600);
  });

  it('needs no HOME where AWS_SHARED_CREDENTIALS_FILE names the file', async () => {
    const elsewhere = path.join(home, 'new', 'file');
    const options = { env: { AWS_SHARED_CREDENTIALS_FILE: elsewhere } };
    expect(await update(['-profile=x'], options)).toMatchObject({ code: 0, stderr: '' });
    expect((await readFile(elsewhere, 'utf8')).replace(written, 'KEYS')).toBe('[x]\nKEYS\n');
  });

  it('leaves a link in its place', async () => {
    await mkdir(path.dirname(file));
    await symlink(path.join(home, 'real'), file);
    expect(await update()).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(path.join(home, 'real'), 'utf8')).toMatch(written);
  });

  it.each(['', 'a]b', 'a\nb', ' a', 'DEFAULT'])(
    'refuses the profile %j, before anything else',
    async (profile) => {
      const outcome = await update(['--profile', profile, '--certificate', path.join(pki, 'missing.pem')]);
      expect(outcome).toMatchObject({ code: 2, stdout: '' });
      expect(await readdir(home)).toEqual([]);
    },
  );

  it.each<[string, string[], number]>([
    ['a missing certificate', ['--certificate', '/nonexistent'], 3],
    ['a refusal', ['--role-arn', 'arn:aws:iam::123456789012:role/outside'], 4],
    ['a service that is not there', ['--endpoint', 'http://127.0.0.1:1', '--timeout', '1'], 5],
  ])('leaves the file as it is at %s', async (_, more, code) => {
    const text = '[default]\naws_access_key_id = old';
    await prepared(text);
    await chmod(file, 0o644);
    expect(await update(more)).toMatchObject({ code, stdout: '' });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(modeOf(file)).toBe(0o644);
    expect(await readdir(path.dirname(file))).toEqual(['credentials']);
  });

  // A limit on the size of files fails the write as a full disk does, after it has begun, and needs no root.
  it('leaves the file as it is on a full disk', async () => {
    const text = `[default]\naws_access_key_id = old\n${'# much\n'.repeat(1000)}`;
    await prepared(text);
    const script = 'ulimit -f 2; exec "$@"';
    const command = [...commandWords(), ...words(), '--once'];
    const outcome = await runProgram(requirePart('bash'), ['--norc', '-c', script, 'bash', ...command], {
      env: { HOME: home },
    });
    expect(outcome).toMatchObject({ code: 6, stdout: '' });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await readdir(path.dirname(file))).toEqual(['credentials']);
  });

  // Root may write everywhere, and hand files over.
  const isRoot = process.getuid?.() === 0;
  it(`keeps the owner of the file, as ${isRoot ? 'root' : 'its owner'}`, async () => {
    const check = await prepared('[default]\naws_access_key_id = old\n');
    if (isRoot) chownSync(file, 65_534, 65_534);
    const { uid, gid } = statSync(file);
    expect(await update()).toMatchObject({ code: 0, stderr: '' });
    await check('default');
    expect(statSync(file)).toMatchObject({ uid, gid });
  });

  it('says that the folder must be writable', async () => {
    await prepared('[default]\naws_access_key_id = old\n');
    await chmod(path.dirname(file), 0o500);
    const command = [...commandWords(), ...words(), '--once'];
    // Root without its capabilities is held to the modes of files too.
    if (isRoot) command.unshift('setpriv', '--bounding-set=-all', '--inh-caps=-all');
    const [program = '', ...rest] = command;
    const outcome = await runProgram(program, rest, { env: { HOME: home } });
    expect(outcome).toMatchObject({ code: 6, stdout: '' });
    expect(outcome.stderr).toContain('hint: the file is replaced by a new one');
    expect(await readFile(file, 'utf8')).toBe('[default]\naws_access_key_id = old\n');
  });

  it.each(commands.update.examples.map(([line]) => line))('works as its help shows: %s', async (line) => {
    const env = {
      HOME: home,
      ANCHOR: emulator.trustAnchorArn,
      PROFILE: emulator.profileArn,
      ROLE: emulator.roleArn,
      AWS_ENDPOINT_URL_ROLESANYWHERE: emulator.endpoint,
    };
    const script = `rolesanywhere() { ${shellCommand} "$@"; }\n${line}`;
    expect(await runProgram(requirePart('bash'), ['--norc', '-c', script], { cwd: pki, env })).toMatchObject({
      code: 0,
      stderr: '',
    });
    const named = path.join(pki, 'credentials');
    expect(await readFile(line.includes('./credentials') ? named : file, 'utf8')).toMatch(written);
  });
});

describe('update', () => {
  interface Daemon {
    stderr(): string;
    /** Waits until the file holds another access key than it is known to have. */
    nextKey(): Promise<string>;
    kill(signal: NodeJS.Signals): void;
    /** Exit code or signal. */
    readonly ended: Promise<[number | null, NodeJS.Signals | null]>;
  }

  function start(
    service = emulator,
    more: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Daemon {
    const [program, ...first] = commandWords();
    const child = spawn(program, [...first, ...words(service), ...more], {
      env: { PATH: process.env['PATH'], HOME: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    let key = '';
    return {
      stderr: () => stderr,
      async nextKey() {
        const end = Date.now() + 40_000;
        while (Date.now() < end) {
          await delay(20);
          const now = await keyInFile();
          // It listens to signals when it has told of the first.
          if (now === '' || now === key || stderr === '') continue;
          key = now;
          return key;
        }
        throw new Error(`no new key in the file: ${stderr}`);
      },
      kill: (signal) => {
        child.kill(signal);
      },
      ended: once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    };
  }

  async function keyInFile(): Promise<string> {
    const text = await readFile(file, 'utf8').catch(() => '');
    return /^aws_access_key_id = (\S+)/m.exec(text)?.[1] ?? '';
  }

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'goes on until %s, and leaves nothing but the file',
    async (signal) => {
      const daemon = start();
      await daemon.nextKey();
      daemon.kill(signal);
      expect(await daemon.ended).toEqual([0, null]);
      expect(await readdir(path.dirname(file))).toEqual(['credentials']);
      expect(daemon.stderr()).toMatch(
        /^rolesanywhere: note: profile default of \S.* has credentials until \S+Z\n$/,
      );
      expect(await readFile(file, 'utf8')).toMatch(written);
    },
  );

  it('writes the next session ahead of the end of each', async () => {
    const short = await startEmulatorProcess([
      '--trust-anchor',
      path.join(pki, 'ca.pem'),
      '--session-ttl',
      '3',
    ]);
    const daemon = start(short);
    try {
      const keys = [await daemon.nextKey(), await daemon.nextKey(), await daemon.nextKey()];
      expect(new Set(keys).size).toBe(3);
      daemon.kill('SIGTERM');
      expect(await daemon.ended).toEqual([0, null]);
    } finally {
      daemon.kill('SIGKILL');
      await short.close();
    }
  });

  it('opens a session at once at SIGHUP, and takes its profile back from who changed it', async () => {
    const daemon = start();
    try {
      await daemon.nextKey();
      await writeFile(file, '[default]\naws_access_key_id = theirs\n[new]\nx = 1\n');
      expect(await daemon.nextKey()).toBe('theirs');
      daemon.kill('SIGHUP');
      expect(await daemon.nextKey()).toMatch(/^ASIA/);
      expect((await readFile(file, 'utf8')).replace(written, 'KEYS')).toBe('[default]\nKEYS\n[new]\nx = 1\n');
      daemon.kill('SIGTERM');
      expect(await daemon.ended).toEqual([0, null]);
    } finally {
      daemon.kill('SIGKILL');
    }
  });

  it('tells systemd that it is ready once the file holds the first, that it lives, and that it ends', async () => {
    const address = path.join(home, 'notify');
    using manager = await startServiceManager(address);
    const daemon = start(emulator, [], { NOTIFY_SOCKET: address, WATCHDOG_USEC: '200000' });
    try {
      expect(await manager.next()).toBe('READY=1 ');
      const key = await keyInFile();
      expect(key).toMatch(/^ASIA/);
      for (let beat = 0; beat < 3; beat++) expect(await manager.line()).toBe('WATCHDOG=1 ');
      daemon.kill('SIGHUP');
      expect(await manager.next()).toMatch(/^RELOADING=1 MONOTONIC_USEC=\d+ $/);
      expect(await manager.next()).toBe('READY=1 ');
      expect(await keyInFile()).not.toBe(key);
      daemon.kill('SIGTERM');
      expect(await manager.next()).toBe('STOPPING=1 ');
      expect(await daemon.ended).toEqual([0, null]);
    } finally {
      daemon.kill('SIGKILL');
    }
  });

  it('ends with the words of the service when the first session is refused', async () => {
    const daemon = start(emulator, ['--role-arn', 'arn:aws:iam::123456789012:role/outside']);
    expect(await daemon.ended).toEqual([4, null]);
    expect(daemon.stderr()).toContain('AccessDenied');
    expect(await readdir(home)).toEqual([]);
  });

  it(
    'goes on when a later refresh fails, and when the file cannot be written',
    { timeout: 120_000 },
    async () => {
      const anchored = ['--trust-anchor', path.join(pki, 'ca.pem')];
      let service = await startEmulatorProcess(anchored);
      const { port } = new URL(service.endpoint);
      const daemon = start(service, ['--timeout', '2']);
      try {
        const key = await daemon.nextKey();
        await service.close();
        daemon.kill('SIGHUP');
        await waitFor(() => daemon.stderr().includes('warning: '));
        expect(await keyInFile()).toBe(key);
        service = await startEmulatorProcess([...anchored, '--port', port]);
        expect(await daemon.nextKey()).toMatch(/^ASIA/);

        await rm(file);
        await mkdir(file);
        daemon.kill('SIGHUP');
        await waitFor(() => daemon.stderr().includes('it is a directory'));
        await rm(file, { recursive: true });
        expect(await daemon.nextKey()).toMatch(/^ASIA/);
        daemon.kill('SIGTERM');
        expect(await daemon.ended).toEqual([0, null]);
      } finally {
        daemon.kill('SIGKILL');
        await service.close();
      }
    },
  );

  async function waitFor(condition: () => boolean): Promise<void> {
    const end = Date.now() + 40_000;
    while (!condition()) {
      if (Date.now() > end) throw new Error('waited in vain');
      await delay(20);
    }
  }
});

it.each(['serve --port 0', 'update'])('%s outlives a SIGHUP before its first session', async (command) => {
  const [program, ...first] = commandWords();
  const options = [...command.split(' '), ...words().slice(1), '--endpoint'];
  // Refuses the request that it sends the signal at.
  const service = createServer((_, answer) => {
    child.kill('SIGHUP');
    setTimeout(() => answer.writeHead(403, { 'x-amzn-errortype': 'AccessDeniedException' }).end('{}'), 300);
  }).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const child = spawn(program, [...first, ...options, `http://127.0.0.1:${port}`], {
    env: { PATH: process.env['PATH'], HOME: home },
    stdio: 'ignore',
  });
  try {
    expect(await once(child, 'close')).toEqual([4, null]);
  } finally {
    service.close();
  }
});
