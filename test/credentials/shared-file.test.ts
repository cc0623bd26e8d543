import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { sharedCredentialsFile, writeProfile } from '../../src/credentials/shared-file.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

it.each<[string | undefined, string | undefined, string]>([
  ['/a/file', '/home/b', '/a/file'],
  ['/a/file', undefined, '/a/file'],
  ['relative', '/home/b', 'relative'],
  ['~/file', '/home/b', '/home/b/file'],
  ['~c/file', '/home/b', '~c/file'],
  ['', '/home/b', '/home/b/.aws/credentials'],
  [undefined, '/home/b', '/home/b/.aws/credentials'],
])('the file is, by AWS_SHARED_CREDENTIALS_FILE %s and HOME %s, %s', (variable, home, path) => {
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', variable);
  vi.stubEnv('HOME', home);
  expect(sharedCredentialsFile()).toBe(path);
});

it("is in the user's home without any variable", () => {
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', undefined);
  vi.stubEnv('HOME', undefined);
  expect(sharedCredentialsFile()).toBe(join(homedir(), '.aws', 'credentials'));
});

it('holds the profile that was written to it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rolesanywhere-shared-'));
  try {
    const file = join(folder, '.aws', 'credentials');
    const credentials = {
      accessKeyId: 'ASIA',
      secretAccessKey: 'secret',
      sessionToken: 'token',
      expiration: new Date(),
    };
    await writeProfile(file, 'default', credentials);
    await writeProfile(file, 'b', credentials);
    const keys = 'aws_access_key_id = ASIA\naws_secret_access_key = secret\naws_session_token = token\n';
    expect(readFileSync(file, 'utf8')).toBe(`[default]\n${keys}\n[b]\n${keys}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
