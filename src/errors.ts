/**
 * Every way in which this package fails, by name. Callers and tests look at the code, never at the text.
 *
 * The comment behind each group is the exit code that the command line gives it (`cli/exit-codes.ts`).
 */
export type ErrorCode =
  // 1: our own defect
  | 'INTERNAL'
  // 2: the command line, or an argument of a library call
  | 'INVALID_ARGUMENT'
  // 3: certificate, key, password, PIN, token or TPM, and the files that hold them
  | 'CERTIFICATE_UNREADABLE'
  | 'CERTIFICATE_INVALID'
  | 'CERTIFICATE_EXPIRED'
  | 'CERTIFICATE_NOT_YET_VALID'
  | 'CERTIFICATE_UNSUITABLE'
  | 'CERTIFICATE_NOT_FOUND'
  | 'CERTIFICATE_AMBIGUOUS'
  | 'CHAIN_TOO_LONG'
  | 'KEY_UNREADABLE'
  | 'KEY_INVALID'
  | 'KEY_UNSUPPORTED'
  | 'KEY_CERTIFICATE_MISMATCH'
  | 'PASSWORD_REQUIRED'
  | 'PASSWORD_UNREADABLE'
  | 'PASSWORD_WRONG'
  | 'PIN_BLOCKED'
  | 'PKCS11_UNAVAILABLE'
  | 'PKCS11_NOT_FOUND'
  | 'PKCS11_AMBIGUOUS'
  | 'PKCS11_FAILED'
  | 'SIGNING_FAILED'
  // 4: the service refused
  | 'SERVICE_REFUSED'
  // 5: the service could not be reached, or kept failing
  | 'SERVICE_UNREACHABLE'
  | 'SERVICE_FAILED'
  | 'SERVICE_TIMEOUT'
  | 'TLS_UNTRUSTED'
  | 'PROXY_FAILED'
  // 6: another local file, lock, disk or port
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'PORT_UNAVAILABLE'
  // 7: the database
  | 'DATABASE_UNREACHABLE'
  | 'DATABASE_REFUSED';

export interface ErrorDetails {
  /** What the reader can do about it: one sentence, lower case, no full stop. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The one error class of this package. The message says what failed and the hint what to do; neither ever holds
 * a secret. Messages start in lower case and end without a full stop, as the command line prints them behind
 * `rolesanywhere: error: `.
 */
export class RolesAnywhereError extends Error {
  override readonly name = 'RolesAnywhereError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.hint = details.hint;
  }
}
