import { RolesAnywhereError } from '../../errors.ts';
import type { DatabaseConnection } from '../connection.ts';

/** Keyword arguments of `psycopg.connect` and `psycopg2.connect`, which are libpq's. */
export function psycopg(connection: DatabaseConnection): string {
  const { host, port, database, user, password, sslMode, sslRootCert } = connection;
  return JSON.stringify({
    host,
    port,
    dbname: database,
    user,
    password,
    sslmode: sslMode,
    sslrootcert: sslRootCert.file,
  });
}

/**
 * Keyword arguments of `redshift_connector.connect`. It verifies with the authorities that it brings along, by
 * `verify-ca` or `verify-full`, or does not encrypt.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT for a mode that it lacks
 */
export function redshiftConnector(connection: DatabaseConnection): string {
  const { host, port, database, user, password, sslMode } = connection;
  if (!['disable', 'verify-ca', 'verify-full'].includes(sslMode)) {
    throw new RolesAnywhereError('INVALID_ARGUMENT', `redshift-connector knows no sslmode ${sslMode}`, {
      hint: 'write --sslmode verify-full or verify-ca',
    });
  }
  const ssl = sslMode === 'disable' ? { ssl: false } : { ssl: true, sslmode: sslMode };
  return JSON.stringify({ host, port, database, user, password, ...ssl });
}
