/** What the system's error codes mean, behind the name of what could not be read, written or opened. */
const words: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a directory',
  EEXIST: 'it is there already',
  ELOOP: 'its symbolic links go in a circle',
  ENAMETOOLONG: 'the name is too long',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EBADF: 'it is not open',
  EBUSY: 'it is in use',
  EAGAIN: 'it stays silent',
  ECONNREFUSED: 'nothing listens there',
};

/** The code of a system error, such as `ENOENT`; undefined of anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Why a system call failed, for a message behind a colon. */
export function reasonOf(error: unknown): string {
  const code = errnoOf(error);
  return words[code ?? ''] ?? code ?? 'unknown error';
}
