export function debianPrograms(): string;
export function findPrograms(): string | undefined;

export interface Server {
  readonly port: number;
  /** What it logged so far. */
  log(): string;
  /** Ends it and its sessions. */
  stop(): Promise<void>;
}

/** Makes a database cluster with one database and starts its server on a free port of `localhost`. */
export function startServer(options: {
  /** The folder of initdb, postgres and createdb. */
  readonly programs: string;
  /** The directory to make. As root, the server runs as nobody: it must get there. */
  readonly data: string;
  /** The name of the database. */
  readonly database: string;
  /** A superuser. */
  readonly administrator: { readonly user: string; readonly password: string };
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** Beside its own, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<Server>;
