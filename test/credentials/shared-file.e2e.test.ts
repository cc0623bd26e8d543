import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commandFile, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';

/** How many times each is killed; the first ten times as often. ROLESANYWHERE_TEST_KILLS=100 takes some minutes. */
const kills = Number(process.env['ROLESANYWHERE_TEST_KILLS'] ?? 20);

let folder = '';
let file = '';

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-killed-'));
  file = path.join(folder, 'credentials');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const before = `# mine\n${Array.from({ length: 200 }, (_, i) => `[p${i}]\naws_access_key_id = ${i}\n\n`).join('')}`;
const after = '\n; end\n[last]\nregion = x';
const keys = (id: string, secret: string, token: string): string =>
  `[ours]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\naws_session_token = ${token}\n`;

/** What stands in our profile; every other byte of the file must be as it was. */
async function ours(): Promise<readonly string[]> {
  const text = await readFile(file, 'latin1');
  expect(text.startsWith(before), 'what stands before it').toBe(true);
  expect(text.endsWith(after), 'what stands behind it').toBe(true);
  const [, ...values] =
    /^\[ours\]\naws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\naws_session_token = (\S+)\n$/.exec(
      text.slice(before.length, text.length - after.length),
    ) ?? [];
  expect(values.length, 'whole keys').toBe(3);
  return values;
}

// Kills that hit while it holds the lock would each cost the next one 2.5 s; so the dead owner's lock is taken away.
// That it also passes on by itself, test/runtime/lock.test.ts holds, and the last run here.
const clearLock = () => rm(`${file}.rolesanywhere-lock-1`, { force: true });

/** Starts it, waits for its first word, and kills it up to so many milliseconds later. */
async function kill(words: readonly string[], within: number): Promise<void> {
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  await delay(Math.random() * within);
  child.kill('SIGKILL');
  await ended;
}

it(`${kills * 10} kills at any moment lose no byte of another profile`, { timeout: 1_800_000 }, async () => {
  await writeFile(file, before + keys('0', '0', '0') + after, { mode: 0o600 });
  const script = `
import { writeSync } from 'node:fs';
import { writeProfile } from ${JSON.stringify(path.resolve('dist/lib/credentials/shared-file.js'))};
writeSync(1, 'ready');
for (let i = 1; ; i++) {
  const key = process.pid + '.' + i;
  await writeProfile(process.argv[1], 'ours', { accessKeyId: key, secretAccessKey: key, sessionToken: key });
}`;
  const seen = new Set<string>();
  for (let i = 0; i < kills * 10; i++) {
    await kill(['--input-type=module', '-e', script, file], 100);
    const values = await ours();
    expect(new Set(values).size, 'keys of one session').toBe(1);
    seen.add(values.join());
    await clearLock();
  }
  // Or nothing was being written.
  expect(seen.size).toBeGreaterThan(kills * 2);
});

it(
  `${kills} kills of the command do not either, and the next run clears up`,
  { timeout: 600_000 },
  async () => {
    await writeFile(file, before + keys('0', '0', '0') + after, { mode: 0o600 });
    const emulator = await startEmulatorProcess(['--pki', folder]);
    try {
      const pair = { certificate: path.join(folder, 'leaf.pem'), key: path.join(folder, 'leaf.key') };
      const options = [...sessionWords(emulator, pair).slice(1), '--profile', 'ours', '--once'];
      const command = [commandFile, 'update', ...options];
      const run = async (): Promise<void> => {
        const child = spawn(process.execPath, command, { env: { AWS_SHARED_CREDENTIALS_FILE: file } });
        expect(await once(child, 'close')).toEqual([0, null]);
      };
      const start = Date.now();
      await run();
      const duration = Date.now() - start;
      for (let i = 0; i < kills; i++) {
        const child = spawn(process.execPath, command, {
          stdio: 'ignore',
          env: { AWS_SHARED_CREDENTIALS_FILE: file },
        });
        const ended = once(child, 'close');
        await delay(duration * (0.5 + Math.random()));
        child.kill('SIGKILL');
        await ended;
        await ours();
        await clearLock();
      }
      await writeFile(`${file}.rolesanywhere-lock-1`, '1\n');
      await run();
      expect((await readdir(folder)).filter((name) => name.startsWith('credentials'))).toEqual([
        'credentials',
      ]);
      expect((await ours())[0]).toMatch(/^ASIA/);
    } finally {
      await emulator.close();
    }
  },
);
