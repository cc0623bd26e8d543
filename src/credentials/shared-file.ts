import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '../aws/credentials.ts';
import { RolesAnywhereError } from '../errors.ts';
import { env } from '../runtime/env.ts';
import { editFile } from './edit-file.ts';
import { setProfile } from './profile.ts';

/**
 * Where the AWS CLI and the SDKs look for the credentials of profiles.
 *
 * @throws RolesAnywhereError FILE_UNWRITABLE where it would be in a home, and there is none
 */
export function sharedCredentialsFile(): string {
  const path = env('AWS_SHARED_CREDENTIALS_FILE') ?? '~/.aws/credentials';
  return /^~[/\\]/.test(path) ? join(home(), path.slice(2)) : path;
}

/** Not `os.homedir`: to that an empty HOME is one, and the file would come into the working directory. */
function home(): string {
  const named = env('HOME');
  if (named !== undefined) return named;
  try {
    const { homedir } = userInfo();
    if (homedir !== '') return homedir;
  } catch {
    // The system does not know this user: containers may run as any number.
  }
  throw new RolesAnywhereError('FILE_UNWRITABLE', 'this user has no home for the credentials file to be in', {
    hint: 'set AWS_SHARED_CREDENTIALS_FILE to the file, or HOME',
  });
}

/**
 * Puts credentials into one profile of a shared credentials file; all else in it stays.
 *
 * @param signal ends the wait for others who are at the file
 * @throws RolesAnywhereError as `editFile` and `setProfile` do; the file is then as it was
 */
export async function writeProfile(
  path: string,
  profile: string,
  credentials: Credentials,
  signal?: AbortSignal,
): Promise<void> {
  await editFile(path, (contents) => setProfile(contents, profile, credentials), signal);
}
