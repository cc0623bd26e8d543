/**
 * The names that Amazon Redshift takes, by the constraints in the API reference of GetClusterCredentials and of the
 * serverless GetCredentials. Each function gives what is wrong with a name, in the words of the reference, or nothing.
 */

/** A database or a database user. */
export function databaseNameFault(name: string): string | undefined {
  if (!/^.{1,64}$/su.test(name)) return 'must be 1 to 64 characters long';
  if (!/^[A-Za-z]/.test(name)) return 'must begin with a letter';
  if (!/^[A-Za-z0-9_+.@-]+$/.test(name)) {
    return 'must contain only letters, numbers, underscore, plus sign, period, at symbol, or hyphen';
  }
  return reservedWords.has(name.toLowerCase()) ? 'cannot be a reserved word' : undefined;
}

export function userNameFault(name: string): string | undefined {
  return name.toLowerCase() === 'public' ? 'cannot be PUBLIC' : databaseNameFault(name);
}

export function groupNameFault(name: string): string | undefined {
  return /[A-Z]/.test(name) ? 'must not contain uppercase letters' : databaseNameFault(name);
}

/** Amazon Redshift Management Guide, "Quotas and limits": naming constraints of a cluster identifier. */
export function isClusterIdentifier(name: string): boolean {
  return /^(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name);
}

/** Redshift Serverless API reference, `workgroupName`. */
export const workgroupPattern = /^[a-z0-9-]{3,64}$/;

/** The same, `customDomainName`. */
export const customDomainPattern =
  /^(?=.{1,253}$)(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])$/;

/** Amazon Redshift Database Developer Guide, "Reserved words". */
export const reservedWords: ReadonlySet<string> = new Set(
  `aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
  blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross current_date
  current_time current_timestamp current_user current_user_id default deferrable deflate defrag delta delta32k desc
  disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for foreign freeze
  from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect
  interval into is isnull join language leading left like limit localtime localtimestamp lun luns lzo lzop minus
  mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
  overlaps parallel partition percent permissions pivot placing primary raw readratio recover references rejectlog
  resort respect restore right select session_user similar snapshot some sysdate system table tag tdes text255 text32k
  then timestamp to top trailing true truncatecolumns union unique unnest unpivot user using verbose wallet when where
  with without`.split(/\s+/),
);
