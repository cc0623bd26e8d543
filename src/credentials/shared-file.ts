import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '../aws/credentials.ts';
import { env } from '../runtime/env.ts';
import { editFile } from './edit-file.ts';
import { setProfile } from './profile.ts';

/** Where the AWS CLI and the SDKs look for the credentials of profiles. */
export function sharedCredentialsFile(): string {
  const path = env('AWS_SHARED_CREDENTIALS_FILE') ?? '~/.aws/credentials';
  return /^~[/\\]/.test(path) ? join(env('HOME') ?? homedir(), path.slice(2)) : path;
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
