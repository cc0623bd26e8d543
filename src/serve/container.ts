import { randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { RolesAnywhereError } from '../errors.ts';
import { errnoOf, reasonOf } from '../runtime/errno.ts';
import { platform, userId } from '../runtime/platform.ts';
import { Secret } from '../secret.ts';
import { reasonOfFailure } from './held-documents.ts';
import type { HeldDocuments } from './held-documents.ts';
import type { Resource } from './resource.ts';
import { jsonAnswer } from './resource.ts';

/** Where the container credentials are, below the server's address. */
export const containerPath = '/credentials';

/**
 * Container credentials for whoever sends the token ("Container credential provider", AWS SDKs and Tools Reference
 * Guide).
 *
 * @param onRefusal hears of wrong tokens
 */
export function containerResource(
  token: Secret<Uint8Array>,
  held: HeldDocuments,
  onRefusal: (why: string) => void,
): Resource {
  return {
    name: containerPath,
    method: 'GET',
    answer({ authorization = '' }, elapsed) {
      const given = Buffer.from(authorization, 'latin1');
      const expected = token.expose();
      // Its length is no secret.
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        onRefusal('a request with a wrong or no container token');
        return jsonAnswer(401, { code: 'Unauthorized', message: 'the token is missing or wrong' });
      }
      const documents = held.get(elapsed);
      if (!(documents instanceof Promise)) return { status: 200, content: documents.container };
      return documents.then(
        ({ container }) => ({ status: 200, content: container }),
        (error: unknown) => jsonAnswer(503, reasonOfFailure(error)),
      );
    },
  };
}

const longestToken = 4096;

/**
 * The token in a file, which is made, for its owner alone, where it is missing. A link to it is followed, as secrets
 * are mounted; who else could read it is not.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE, FILE_UNWRITABLE
 */
export function readContainerToken(path: string): Secret<Uint8Array> {
  try {
    // Whatever comes first of two that start at once, both have the same token.
    writeFileSync(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') {
      throw new RolesAnywhereError(
        'FILE_UNWRITABLE',
        `cannot make container token file ${path}: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  }
  return new Secret(readToken(path));
}

function readToken(path: string): Uint8Array {
  const unusable = (why: string, hint?: string, cause?: unknown): RolesAnywhereError =>
    new RolesAnywhereError('FILE_UNREADABLE', `cannot use container token file ${path}: ${why}`, {
      cause,
      ...(hint !== undefined && { hint }),
    });
  let descriptor: number;
  try {
    // A pipe would keep us waiting. (Windows has no such flag: undefined counts as 0.)
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unusable(reasonOf(error), undefined, error);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw unusable('it is no regular file');
    if (platform !== 'win32') {
      if (![0, userId()].includes(status.uid)) throw unusable('it belongs to another user');
      if ((status.mode & 0o027) !== 0) {
        throw unusable('other users can read or change it', `chmod 600 ${path}`);
      }
    }
    const buffer = Buffer.alloc(longestToken + 1);
    const token = buffer.subarray(0, readSync(descriptor, buffer));
    if (token.length === 0) throw unusable('it is empty', 'remove it, and a token is made');
    if (token.length > longestToken) throw unusable(`it is longer than ${longestToken} bytes`);
    // SDKs send the file as it is, and several refuse one with a line end.
    if (!token.every((byte) => byte > 0x20 && byte < 0x7f)) {
      throw unusable(
        'a token is printable ASCII without spaces and line ends',
        'remove it, and a good one is made',
      );
    }
    return token;
  } finally {
    closeSync(descriptor);
  }
}
