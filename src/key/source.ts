import { closeSync, fstatSync, lstatSync, openSync, read, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { RolesAnywhereError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { isRuntimesOwn } from '../runtime/descriptor.ts';
import { env } from '../runtime/env.ts';
import { errnoOf, reasonOf } from '../runtime/errno.ts';
import { platform } from '../runtime/platform.ts';
import type { PasswordProvider } from './password.ts';
import type { Pkcs12File } from './pkcs12/file.ts';
import type { SourceReference } from './reference.ts';

/** No key or bundle comes near: 1 MiB holds some 700 certificates. */
export const maximumSize = 1024 * 1024;

/** How long a descriptor in non-blocking mode may have nothing to say, in milliseconds. */
const patience = 60_000;

/** What is read, as messages call it. */
export type Purpose = 'certificate' | 'certificate selector' | 'intermediates' | 'private key';

/** What a reference led to. The bytes may be wiped once the `Sources` that read them are done. */
export interface Source {
  readonly bytes: Uint8Array;
  /** As messages call it behind its purpose: `/etc/x.pem`, or `from standard input`. */
  readonly name: string;
  /** The file's mode lets every user of the machine read it. */
  readonly exposed: boolean;
}

/**
 * Reads each source once, however many options name it: a key and its certificate may come out of one pipe, and the
 * two halves of one file always fit each other. Disposing it wipes what was read.
 */
export class Sources implements Disposable {
  readonly #streams: Streams | undefined;
  readonly #sources = new Map<string, Source>();
  readonly #pkcs12 = new Map<Source, Pkcs12File>();

  constructor(streams?: Streams) {
    this.#streams = streams;
  }

  /** @throws RolesAnywhereError KEY_UNREADABLE or CERTIFICATE_UNREADABLE; KEY_INVALID or CERTIFICATE_INVALID by size */
  async read(reference: SourceReference, purpose: Purpose): Promise<Source> {
    const key = JSON.stringify(reference);
    const isStream = reference.type === 'stdin' || reference.type === 'descriptor';
    const source =
      this.#sources.get(key) ??
      (this.#streams && isStream
        ? await this.#streams.read(key, () => readSource(reference, purpose))
        : await readSource(reference, purpose));
    this.#sources.set(key, source);
    return source;
  }

  /** Opens a PKCS#12 file once: its key and its certificates have one password. Throws what `openPkcs12File` throws. */
  async openPkcs12(source: Source, keyPassword: PasswordProvider | undefined): Promise<Pkcs12File> {
    const { openPkcs12File } = await import('./pkcs12/file.ts');
    const file = this.#pkcs12.get(source) ?? (await openPkcs12File(source, keyPassword));
    this.#pkcs12.set(source, file);
    return file;
  }

  [Symbol.dispose](): void {
    for (const { keys } of this.#pkcs12.values()) for (const key of keys) key.fill(0);
    this.#pkcs12.clear();
    for (const { bytes } of this.#sources.values()) bytes.fill(0);
    this.#sources.clear();
  }
}

/**
 * What streams held, for whoever opens the same identity again: a stream ends once. Disposing it wipes that.
 */
export class Streams implements Disposable {
  readonly #contents = new Map<string, Source>();

  async read(key: string, read: () => Promise<Source>): Promise<Source> {
    const source = this.#contents.get(key) ?? (await read());
    this.#contents.set(key, source);
    return { ...source, bytes: Uint8Array.from(source.bytes) };
  }

  [Symbol.dispose](): void {
    for (const { bytes } of this.#contents.values()) bytes.fill(0);
    this.#contents.clear();
  }
}

async function readSource(reference: SourceReference, purpose: Purpose): Promise<Source> {
  const name = nameOf(reference);
  const codes: Record<'UNREADABLE' | 'INVALID', ErrorCode> =
    purpose === 'private key'
      ? { UNREADABLE: 'KEY_UNREADABLE', INVALID: 'KEY_INVALID' }
      : { UNREADABLE: 'CERTIFICATE_UNREADABLE', INVALID: 'CERTIFICATE_INVALID' };
  const contents = await readBytes(reference, purpose, codes.UNREADABLE);
  const { length } = contents.bytes;
  if (length === 0) throw new RolesAnywhereError(codes.INVALID, `${purpose} ${name} is empty`);
  if (length > maximumSize) {
    throw new RolesAnywhereError(codes.INVALID, `${purpose} ${name} is larger than 1 MiB`, {
      hint: 'it is probably another file than you meant',
    });
  }
  if (reference.type !== 'environment') return { ...contents, name };
  // Where a variable cannot hold line ends (.env files, some CI systems) they come written as \n.
  const text = Buffer.from(contents.bytes).toString('latin1').replaceAll('\\n', '\n');
  return { ...contents, bytes: Buffer.from(text, 'latin1'), name };
}

/**
 * The bytes that a reference leads to, as they are.
 *
 * @param what what they are, for messages
 * @throws RolesAnywhereError with this code
 */
export async function readBytes(
  reference: SourceReference,
  what: string,
  code: ErrorCode,
): Promise<Pick<Source, 'bytes' | 'exposed'>> {
  const failed = (reason: string, hint: string | undefined, cause?: unknown): RolesAnywhereError =>
    new RolesAnywhereError(code, `cannot read ${what} ${nameOf(reference)}: ${reason}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  if (reference.type === 'environment' && env(reference.name) === undefined) {
    throw failed('it is not set, or empty', 'export the variable to this process');
  }
  try {
    return await readReference(reference);
  } catch (error) {
    throw failed(reasonOf(error), cure(errnoOf(error), reference, what), error);
  }
}

export function nameOf(reference: SourceReference): string {
  switch (reference.type) {
    case 'file':
      return reference.path;
    case 'stdin':
      return 'from standard input';
    case 'environment':
      return `from the environment variable ${reference.name}`;
    case 'descriptor':
      return `from file descriptor ${reference.descriptor}`;
    case 'memory':
      return 'in memory';
  }
}

async function readReference(reference: SourceReference): Promise<Pick<Source, 'bytes' | 'exposed'>> {
  switch (reference.type) {
    case 'file':
      return readFile(reference.path);
    case 'stdin':
      return { bytes: await readDescriptor(0), exposed: false };
    case 'descriptor':
      if (isRuntimesOwn(reference.descriptor)) throw Object.assign(new Error('not open'), { code: 'EBADF' });
      return { bytes: await readDescriptor(reference.descriptor), exposed: false };
    case 'environment':
      return { bytes: Buffer.from(env(reference.name) ?? ''), exposed: false };
    case 'memory':
      return { bytes: Uint8Array.from(reference.bytes), exposed: false };
  }
}

async function readFile(path: string): Promise<Pick<Source, 'bytes' | 'exposed'>> {
  const descriptor = openSync(path, 'r');
  try {
    const status = fstatSync(descriptor);
    return {
      bytes: await readAll((buffer) => readSync(descriptor, buffer)),
      exposed: isExposed(status) && !isMountedSecret(path, status),
    };
  } finally {
    closeSync(descriptor);
  }
}

/** Windows reports a mode that has nothing to do with who may read the file. */
function isExposed(status: Stats): boolean {
  return status.isFile() && (status.mode & 0o004) !== 0 && platform !== 'win32';
}

/** Kubernetes mounts secrets as root's links to world-readable files; nobody can change that from inside. */
function isMountedSecret(path: string, { uid }: Stats): boolean {
  return uid === 0 && lstatSync(path).isSymbolicLink();
}

/** Asynchronously, since a pipe's other end may take its time. */
function readDescriptor(descriptor: number): Promise<Uint8Array> {
  return readAll(async (buffer) => {
    const giveUp = Date.now() + patience;
    for (;;) {
      try {
        return await readOnce(descriptor, buffer);
      } catch (error) {
        const code = errnoOf(error);
        if (code === 'EOF') return 0; // How Windows reports that the other end is closed.
        // Whoever shares the pipe may have made it non-blocking.
        if (code !== 'EAGAIN' || Date.now() > giveUp) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  });
}

/** Not by promisify: the executable would load node:util for it. */
function readOnce(descriptor: number, buffer: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, buffer, 0, buffer.length, null, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

/** Reads to the end, or past the size that is refused: a device has no end. */
async function readAll(readInto: (buffer: Buffer) => number | Promise<number>): Promise<Uint8Array> {
  const bytes = Buffer.alloc(maximumSize + 1);
  let length = 0;
  for (;;) {
    const count = await readInto(bytes.subarray(length));
    length += count;
    if (count === 0 || length === bytes.length) return bytes.subarray(0, length);
  }
}

/** The cure, where there is one. */
function cure(errno: string | undefined, reference: SourceReference, what: string): string | undefined {
  switch (errno) {
    case 'EACCES':
      return 'let the user that runs this read it';
    case 'EISDIR':
      return 'name the file in it';
    case 'EBADF': {
      const descriptor = reference.type === 'descriptor' ? reference.descriptor : 0;
      return `open it in the command, as in: rolesanywhere … ${descriptor}< ${exampleFiles[what] ?? 'FILE'}`;
    }
    default:
      return undefined;
  }
}

const exampleFiles: Readonly<Record<string, string>> = {
  certificate: 'leaf.pem',
  intermediates: 'issuers.pem',
  'private key': 'leaf.key',
  password: 'password.txt',
};
