import { RolesAnywhereError } from '../errors.ts';
import { reservedWords } from './reserved-words.ts';

/** A kind of name that an option gives, and what the API takes for one. */
interface NameRule {
  readonly what: string;
  readonly pattern: RegExp;
  /** The same in words. */
  readonly says: string;
  /** Words that the pattern takes and the API does not. */
  readonly isTaken?: (name: string) => boolean;
}

const isReserved = (name: string): boolean => reservedWords.has(name.toUpperCase());

/** Amazon Redshift API Reference, GetClusterCredentials and CreateCluster; Serverless API Reference, GetCredentials. */
const rules = {
  cluster: {
    what: "a cluster's identifier",
    pattern: /^(?=.{1,63}$)[a-z](?:-?[a-z0-9])*$/,
    says: 'it has 1 to 63 of a-z 0-9 -, a letter first, no hyphen last and no two in a row',
  },
  workgroup: {
    what: "a workgroup's name",
    pattern: /^[a-z0-9-]{3,64}$/,
    says: 'it has 3 to 64 of a-z 0-9 -',
  },
  'custom-domain': {
    what: 'a domain name',
    pattern: /^(?=.{1,253}$)(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(?!-)[A-Za-z0-9-]{2,63}(?<!-)$/,
    says: 'it looks like warehouse.example.com',
  },
  database: {
    what: "a database's name",
    pattern: /^[A-Za-z][\w+.@-]{0,63}$/,
    says: 'it has 1 to 64 of A-Z a-z 0-9 _ + . @ -, a letter first, no reserved word',
    isTaken: isReserved,
  },
  'db-user': {
    what: "a database user's name",
    pattern: /^[A-Za-z][\w+.@-]{0,63}$/,
    says: 'it has 1 to 64 of A-Z a-z 0-9 _ + . @ -, a letter first, no reserved word and not PUBLIC',
    isTaken: (name) => isReserved(name) || name.toUpperCase() === 'PUBLIC',
  },
  'db-group': {
    what: "a database group's name",
    pattern: /^[a-z][a-z0-9_+.@-]{0,63}$/,
    says: 'it has 1 to 64 of a-z 0-9 _ + . @ -, in lower case, a letter first, no reserved word',
    isTaken: isReserved,
  },
  host: {
    what: 'the name or address of a host',
    pattern:
      /^(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|(?:[0-9A-Fa-f]*:){2,7}[0-9A-Fa-f.]*)$/,
    says: 'it is written without a port, a scheme or brackets',
  },
} as const satisfies Record<string, NameRule>;

export type NameOption = keyof typeof rules;

export function isName(option: NameOption, name: string): boolean {
  const rule: NameRule = rules[option];
  return rule.pattern.test(name) && rule.isTaken?.(name) !== true;
}

/**
 * Checks a name by the API's own rules, so that a mistake is told before anything is asked.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function checkName(option: NameOption, name: string): void {
  if (isName(option, name)) return;
  const rule = rules[option];
  throw new RolesAnywhereError(
    'INVALID_ARGUMENT',
    `--${option} is not ${rule.what}: ${JSON.stringify(name.slice(0, 100))}`,
    { hint: rule.says },
  );
}
