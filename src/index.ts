// The library's public names, each exported on purpose. The local service has an entry of its own,
// `rolesanywhere/emulator`: importing it loads what nothing here needs.
export { RolesAnywhereError } from './errors.ts';
export type { ErrorCode, ErrorDetails } from './errors.ts';
export type { Reporter } from './reporter.ts';

export { fromRolesAnywhere } from './credentials/provider.ts';
export type { PasswordOption, RolesAnywhereOptions, RolesAnywhereProvider } from './credentials/provider.ts';

export { openIdentity } from './identity/identity.ts';
export type { Identity } from './identity/identity.ts';
export type { IdentityOptions } from './identity/options.ts';
export type { Certificate } from './certificate/certificate.ts';
export type { Digest, KeyType, Signer } from './key/signer.ts';

export { createSession, prepareSession } from './aws/create-session.ts';
export type { ConnectionOptions, PreparedSession, Session, SessionRequest } from './aws/create-session.ts';
export { getCallerIdentity } from './aws/sts.ts';
export type { Credentials } from './aws/credentials.ts';
export { formatProcessCredentials } from './credentials/process-json.ts';

export { redshiftLogin } from './redshift/provider.ts';
export type { RedshiftLogin, RedshiftLoginProvider, RedshiftOptions } from './redshift/provider.ts';
