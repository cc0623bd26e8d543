import { shellQuoted } from '../../encoding/shell.ts';
import type { DatabaseConnection } from '../connection.ts';

/**
 * libpq's environment variables (PostgreSQL documentation, "Environment Variables"), which psql, psycopg and
 * everything else made with libpq read. Without a password there is no PGPASSWORD.
 */
export function environment(connection: DatabaseConnection): Readonly<Record<string, string>> {
  const { host, port, database, user, password, sslMode, sslRootCert } = connection;
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGDATABASE: database,
    PGUSER: user,
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    PGSSLMODE: sslMode,
    ...(sslRootCert.file === undefined ? {} : { PGSSLROOTCERT: sslRootCert.file }),
  };
}

/** What would lead to another server, or check it otherwise: libpq takes these ahead of its other variables. */
export const misleading = ['PGHOSTADDR', 'PGSERVICE', 'PGREQUIRESSL', 'PGSSLROOTCERT'] as const;

/** Lines that a POSIX shell evaluates. */
export function exportLines(variables: Readonly<Record<string, string>>): string {
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${shellQuoted(value)}\n`);
  const others = misleading.filter((name) => !Object.hasOwn(variables, name));
  return `${exports.join('')}unset ${others.join(' ')}\n`;
}
