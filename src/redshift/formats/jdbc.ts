import type { DatabaseConnection } from '../connection.ts';
import { authority, percentEncode, query } from './uri.ts';

/**
 * The URL of Amazon's JDBC driver (Amazon Redshift Management Guide, "Getting the JDBC URL"). The driver decodes it as
 * a form, where a plain `+` is a space. It trusts Amazon's authorities by itself.
 */
export function jdbc(connection: DatabaseConnection): string {
  const { user, password, database, sslMode, sslRootCert } = connection;
  const parameters = {
    sslmode: sslMode,
    ...(sslRootCert.isGiven && sslRootCert.file !== undefined ? { sslrootcert: sslRootCert.file } : {}),
    UID: user,
    ...(password === undefined ? {} : { PWD: password }),
  };
  return `jdbc:redshift://${authority(connection)}/${percentEncode(database)}?${query(parameters)}`;
}
