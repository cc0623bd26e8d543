import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { RolesAnywhereError } from '../errors.ts';
import { reasonOf } from '../runtime/errno.ts';
import type { SslMode, SslRootCert } from './connection.ts';

/** Where systems keep the authorities that they trust, Amazon's among them, in one file. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Red Hat, Amazon Linux
  '/etc/ssl/ca-bundle.pem', // SUSE
  '/etc/ssl/cert.pem', // Alpine, macOS
];

/**
 * What a client shall verify the database's certificate with. By its path, for libpq before version 16 has no word for
 * the system's authorities; a path is made absolute, for the client may run elsewhere.
 *
 * @param given `--sslrootcert`
 * @throws RolesAnywhereError FILE_UNREADABLE
 */
export function sslRootCert(given: string | undefined, mode: SslMode): SslRootCert {
  if (given === undefined) {
    return { file: mode.startsWith('verify') ? bundles.find(isReadable) : undefined, isGiven: false };
  }
  // A word of libpq's, from version 16 on.
  if (given === 'system') return { file: given, isGiven: true };
  try {
    accessSync(given, constants.R_OK);
  } catch (error) {
    throw new RolesAnywhereError(
      'FILE_UNREADABLE',
      `cannot read --sslrootcert ${given}: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return { file: resolve(given), isGiven: true };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
