import { checkRegion } from '../aws/endpoint.ts';
import { RolesAnywhereError } from '../errors.ts';
import { checkName, type NameOption } from './names.ts';

/** What to ask for: the command line's options by their library names. */
export interface DatabaseRequest {
  readonly region: string;
  /** Identifier of a provisioned cluster. */
  readonly cluster?: string;
  /** Name of a serverless workgroup, in place of a cluster. */
  readonly workgroup?: string;
  /** The name that the database is reached by; of a workgroup where one is named, else of a cluster. */
  readonly customDomain?: string;
  /** `dev` by default. */
  readonly database?: string;
  /** Asks GetClusterCredentials; without it, the user is the one that IAM's identity maps to. */
  readonly dbUser?: string;
  readonly autoCreate?: boolean;
  readonly dbGroups?: readonly string[];
  /** 900 to 3600; 900 by default. */
  readonly durationSeconds?: number;
  /** Where to connect to; else DescribeClusters or GetWorkgroup is asked. */
  readonly host?: string;
  readonly port?: number;
}

/** A request that has been checked as far as that goes without the network. */
export interface PreparedDatabase extends DatabaseRequest {
  readonly database: string;
  readonly durationSeconds: number;
  readonly dbGroups: readonly string[];
  readonly autoCreate: boolean;
}

/** Amazon Redshift's own, where nothing says otherwise. */
export const standardPort = 5439;

/**
 * Checks a request by the APIs' rules (Amazon Redshift API Reference, GetClusterCredentials; Serverless API Reference,
 * GetCredentials).
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function prepareDatabase(request: DatabaseRequest): PreparedDatabase {
  const { region, cluster, workgroup, customDomain, dbUser, host, port } = request;
  const { database = 'dev', durationSeconds = 900, dbGroups = [], autoCreate = false } = request;
  checkRegion(region);
  if (cluster === undefined && workgroup === undefined && customDomain === undefined) {
    throw mistake('no database is named', 'give --cluster ID, --workgroup NAME or --custom-domain NAME');
  }
  if (cluster !== undefined && workgroup !== undefined) {
    throw mistake('--cluster contradicts --workgroup', 'a database is in a cluster or in a workgroup');
  }
  if (workgroup !== undefined && dbUser !== undefined) {
    throw mistake(
      '--workgroup contradicts --db-user',
      "a workgroup's user is the one of the IAM role: leave it out",
    );
  }
  if (dbUser === undefined && (dbGroups.length > 0 || autoCreate)) {
    const option = autoCreate ? '--auto-create' : '--db-group';
    throw mistake(`${option} needs --db-user`, 'without --db-user the user is the one of the IAM role');
  }
  const names: readonly (readonly [NameOption, string | undefined])[] = [
    ['cluster', cluster],
    ['workgroup', workgroup],
    ['custom-domain', customDomain],
    ['database', database],
    ['db-user', dbUser],
    ...dbGroups.map((group) => ['db-group', group] as const),
    ['host', host],
  ];
  for (const [option, name] of names) if (name !== undefined) checkName(option, name);
  checkNumber('duration', durationSeconds, 900, 3600);
  if (port !== undefined) checkNumber('port-db', port, 1, 65_535);
  return { ...request, database, durationSeconds, dbGroups, autoCreate };
}

function checkNumber(option: string, number: number, least: number, most: number): void {
  if (Number.isInteger(number) && number >= least && number <= most) return;
  throw mistake(`--${option} ${number} is out of range`, `write a whole number from ${least} to ${most}`);
}

function mistake(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('INVALID_ARGUMENT', message, { hint });
}
