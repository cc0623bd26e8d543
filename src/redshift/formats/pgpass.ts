import type { DatabaseConnection } from '../connection.ts';

/** The fields by which libpq finds a line of a password file. */
export type PgpassKey = Pick<DatabaseConnection, 'host' | 'port' | 'database' | 'user'>;

/** A line of libpq's password file (PostgreSQL documentation, "The Password File"), without its line end. */
export function pgpass(connection: DatabaseConnection): string {
  return `${pgpassKey(connection)}${escape(connection.password ?? '')}`;
}

/** The line as far as the password. */
export function pgpassKey({ host, port, database, user }: PgpassKey): string {
  return [host, String(port), database, user].map((field) => `${escape(field)}:`).join('');
}

function escape(field: string): string {
  return field.replace(/[\\:]/g, '\\$&');
}
