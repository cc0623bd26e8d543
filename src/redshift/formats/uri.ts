import type { DatabaseConnection } from '../connection.ts';

/**
 * libpq's connection URI (PostgreSQL documentation, "Connection URIs"): each part percent-encoded, `+` too, which
 * other readers of URIs take for a space.
 */
export function uri(connection: DatabaseConnection): string {
  const { user, password, database, sslMode, sslRootCert } = connection;
  const login = [user, ...(password === undefined ? [] : [password])].map(percentEncode).join(':');
  const parameters = {
    sslmode: sslMode,
    ...(sslRootCert.file === undefined ? {} : { sslrootcert: sslRootCert.file }),
  };
  return `postgresql://${login}@${authority(connection)}/${percentEncode(database)}?${query(parameters)}`;
}

/** `host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2). */
export function authority({ host, port }: DatabaseConnection): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function query(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${percentEncode(value)}`)
    .join('&');
}

/** All but RFC 3986's unreserved characters (section 2.3). encodeURIComponent leaves five more. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
