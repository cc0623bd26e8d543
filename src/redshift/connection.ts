/** How a connection is protected, in libpq's words, which every client here knows. */
export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

/** All that a client needs to log in. */
export interface DatabaseConnection {
  /** A host name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** As the API returned it, prefix included: `IAM:`, `IAMA:` or `IAMR:` is part of the login name. */
  readonly user: string;
  /** Undefined where the string shall be without it. */
  readonly password: string | undefined;
  readonly sslMode: SslMode;
  /** A file of PEM authorities that the server's certificate must chain to. */
  readonly sslRootCert: SslRootCert;
}

export interface SslRootCert {
  readonly file: string | undefined;
  /** The user named it. Clients that bring Amazon's authorities along are told of no other file. */
  readonly isGiven: boolean;
}
