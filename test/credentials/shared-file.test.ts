import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os, { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { sharedCredentialsFile, writeProfile } from '../../src/credentials/shared-file.ts';
import { expectCode } from '../support/errors.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  syncBuiltinESMExports();
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

// Node.js takes an empty HOME for a home: the working directory.
it.each([undefined, ''])("is in the user's home without any variable, HOME being %j", (home) => {
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', undefined);
  vi.stubEnv('HOME', home);
  expect(sharedCredentialsFile()).toBe(join(userInfo().homedir, '.aws', 'credentials'));
});

it('is nowhere for a user without a home, whom the system need not know', async () => {
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', undefined);
  vi.stubEnv('HOME', undefined);
  const known = vi.spyOn(os, 'userInfo');
  syncBuiltinESMExports();
  known.mockReturnValueOnce({ ...userInfo(), homedir: '' });
  await expectCode(sharedCredentialsFile, 'FILE_UNWRITABLE');
  // As Node.js does in a container that runs as any number.
  known.mockImplementationOnce(() => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  });
  await expectCode(sharedCredentialsFile, 'FILE_UNWRITABLE');
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
