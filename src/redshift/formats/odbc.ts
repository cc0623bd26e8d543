import type { DatabaseConnection } from '../connection.ts';

/** As Amazon's installers register it on Linux, macOS and 64-bit Windows. */
const driver = 'Amazon Redshift ODBC Driver (x64)';

/**
 * A connection string for SQLDriverConnect (ODBC Programmer's Reference, "SQLDriverConnect Function"). Amazon's driver
 * trusts Amazon's authorities by itself and has no key that all its versions know for others.
 */
export function odbc({ host, port, database, user, password, sslMode }: DatabaseConnection): string {
  const parts: Readonly<Record<string, string>> = {
    Driver: braced(driver),
    Server: host,
    Port: String(port),
    Database: database,
    UID: plainOrBraced(user),
    ...(password === undefined ? {} : { PWD: braced(password) }),
    SSLMode: sslMode,
  };
  return Object.entries(parts)
    .map(([key, value]) => `${key}=${value}`)
    .join(';');
}

/** What has no character with a meaning stands plain, since not every driver takes every value in braces. */
function plainOrBraced(value: string): string {
  return /^[\w:+=,.@-]+$/.test(value) ? value : braced(value);
}

/** Within braces every character stands for itself but the closing brace, which is doubled. */
function braced(value: string): string {
  return `{${value.replaceAll('}', '}}')}}`;
}
