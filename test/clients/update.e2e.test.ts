import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandFile, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);

// Three updaters on one file, two of them on one profile, that write as fast as they may.
describe('real clients, through the shared credentials file while it is updated', () => {
  const kept = `# mine\n[kept]\naws_access_key_id = keep\naws_secret_access_key = keep\n`;
  let directory: string;
  let file: string;
  let emulator: EmulatorProcess;
  let arn: string;
  let env: NodeJS.ProcessEnv;
  let updaters: readonly ChildProcess[];
  let refreshing: NodeJS.Timeout;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'updated clients '));
    file = join(directory, 'credentials');
    await writeFile(file, kept, { mode: 0o600 });
    emulator = await startEmulatorProcess(['--pki', directory]);
    const pair = { certificate: join(directory, 'leaf.pem'), key: join(directory, 'leaf.key') };
    const { serialNumber } = new X509Certificate(await readFile(pair.certificate));
    arn = `arn:aws:sts::123456789012:assumed-role/emulator/${serialNumber.toLowerCase()}`;
    env = {
      PATH: process.env['PATH'],
      HOME: directory,
      AWS_CONFIG_FILE: join(directory, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: file,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_REGION: 'us-east-1',
    };
    updaters = ['a', 'b', 'b'].map((profile) =>
      spawn(
        process.execPath,
        [commandFile, 'update', '--profile', profile, ...sessionWords(emulator, pair).slice(1)],
        { env, stdio: ['ignore', 'ignore', 'pipe'] },
      ),
    );
    // Their first words: from now on they listen to signals.
    for (const { stderr } of updaters) if (stderr) await once(stderr, 'data');
    refreshing = setInterval(() => {
      for (const updater of updaters) updater.kill('SIGHUP');
    }, 600);
  });

  afterAll(async () => {
    clearInterval(refreshing);
    const ended = updaters.map((updater) => once(updater, 'close'));
    for (const updater of updaters) updater.kill('SIGTERM');
    expect(await Promise.all(ended)).toEqual(updaters.map(() => [0, null]));
    expect((await readdir(directory)).filter((name) => name.startsWith('credentials'))).toEqual([
      'credentials',
    ]);
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('whoever reads it finds it whole, and both profiles anew again and again', async () => {
    const block = (profile: string): string =>
      `\\n\\[${profile}\\]\\naws_access_key_id = (ASIA\\w{16})\\naws_secret_access_key = \\S{40}\\naws_session_token = \\S{20,}\\n`;
    const whole = new RegExp(
      `^${kept.replace('[', '\\[')}(?:${block('a')}${block('b')}|${block('b')}${block('a')})$`,
    );
    const seen = new Set<string>();
    const end = Date.now() + 5000;
    while (Date.now() < end) {
      await delay(1);
      const [, ...found] = whole.exec(await readFile(file, 'latin1')) ?? [];
      expect(found.length).toBe(4);
      for (const key of found) seen.add(key);
    }
    expect(seen.size).toBeGreaterThan(6);
  });

  it.each(['a', 'b'])('the AWS CLI is the assumed role, by profile %s', async (profile) => {
    const { stdout } = await run(
      requirePart('aws'),
      ['sts', 'get-caller-identity', '--profile', profile, '--endpoint-url', emulator.endpoint],
      { env },
    );
    expect(JSON.parse(stdout)).toMatchObject({ Account: '123456789012', Arn: arn });
  });

  it('boto3 is the assumed role, in 60 sessions', async () => {
    const script = `
import boto3, sys
for i in range(60):
    credentials = boto3.Session(profile_name='ab'[i % 2]).get_credentials().get_frozen_credentials()
    assert credentials.access_key.startswith('ASIA') and credentials.secret_key and credentials.token
    if i % 10 < 2:
        client = boto3.Session(profile_name='ab'[i % 2]).client('sts', endpoint_url=sys.argv[1])
        print(client.get_caller_identity()['Arn'])`;
    const { stdout } = await run(requirePart('boto3'), ['-c', script, emulator.endpoint], { env });
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 12 }, () => arn));
  });

  it('the AWS SDK for JavaScript v3 is the assumed role, in 20 sessions', async () => {
    const script = `
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromIni } from '@aws-sdk/credential-providers';
for (let i = 0; i < 20; i++) {
  const credentials = fromIni({ profile: 'ab'[i % 2], ignoreCache: true });
  const client = new STSClient({ credentials, endpoint: process.argv[1] });
  console.log((await client.send(new GetCallerIdentityCommand())).Arn);
}`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script, emulator.endpoint], {
      env,
    });
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 20 }, () => arn));
  });
});
