import type { DatabaseConnection } from '../connection.ts';
import { environment, exportLines } from './env.ts';
import { jdbc } from './jdbc.ts';
import { odbc } from './odbc.ts';
import { pgpass } from './pgpass.ts';
import { psycopg, redshiftConnector } from './python.ts';
import { uri } from './uri.ts';

/** Each consumer's form of a connection, escaped by its own rules, ended by a line end. */
const formats = {
  env: (connection) => exportLines(environment(connection)),
  uri: (connection) => `${uri(connection)}\n`,
  jdbc: (connection) => `${jdbc(connection)}\n`,
  odbc: (connection) => `${odbc(connection)}\n`,
  pgpass: (connection) => `${pgpass(connection)}\n`,
  psycopg: (connection) => `${psycopg(connection)}\n`,
  'redshift-connector': (connection) => `${redshiftConnector(connection)}\n`,
} as const satisfies Record<string, (connection: DatabaseConnection) => string>;

export type Format = keyof typeof formats;
export const formatNames = Object.keys(formats) as Format[];

/**
 * Which files with authorities to verify with each form can name: any, the system's too; those that the user chose, for
 * its readers know Amazon's by themselves; or none.
 */
export const nameableAuthorities: Readonly<Record<Format, 'any' | 'chosen' | 'none'>> = {
  env: 'any',
  uri: 'any',
  jdbc: 'chosen',
  odbc: 'none',
  pgpass: 'none',
  psycopg: 'any',
  'redshift-connector': 'none',
};

/**
 * Writes a connection in one of its forms.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT for what the form cannot say
 */
export function formatConnection(format: Format, connection: DatabaseConnection): string {
  return formats[format](connection);
}
