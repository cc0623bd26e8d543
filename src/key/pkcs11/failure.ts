import { EncodingError } from '../../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { CryptokiError, moduleFailed } from './cryptoki.ts';
import type { Failure } from './protocol.ts';

/**
 * Results that say that the token, the session or the login is gone (version 2.40, section 5.1), or that the module
 * is in a state that a new start may end.
 */
const lost = new Set([
  'CKR_DEVICE_REMOVED',
  'CKR_DEVICE_ERROR',
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_TOKEN_NOT_RECOGNIZED',
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_SESSION_CLOSED',
  'CKR_OBJECT_HANDLE_INVALID',
  'CKR_KEY_HANDLE_INVALID',
  'CKR_SLOT_ID_INVALID',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_CRYPTOKI_NOT_INITIALIZED',
  'CKR_USER_PIN_NOT_INITIALIZED',
  ...moduleFailed,
]);

/** A login that failed for no clear reason may have cost a try of the PIN: it is not made again. */
function mayHaveCounted({ call, result }: CryptokiError): boolean {
  return call === 'C_Login' && [...moduleFailed, 'CKR_DEVICE_ERROR'].includes(result);
}

interface Explanation {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

const explanations: Readonly<Record<string, Explanation>> = {
  CKR_PIN_INCORRECT: {
    code: 'PASSWORD_WRONG',
    message: 'wrong PIN',
    hint: 'it is tried once only, since the token locks after a few',
  },
  CKR_PIN_INVALID: { code: 'PASSWORD_WRONG', message: 'the token takes no PIN with such characters' },
  CKR_PIN_LEN_RANGE: { code: 'PASSWORD_WRONG', message: 'the token takes no PIN of this length' },
  CKR_PIN_LOCKED: {
    code: 'PIN_BLOCKED',
    message: 'the PIN is locked',
    hint: "unlock it with the token's own tool and its security officer's PIN",
  },
  CKR_PIN_EXPIRED: {
    code: 'PIN_BLOCKED',
    message: 'the PIN has expired',
    hint: "set a new one with the token's own tool",
  },
  CKR_USER_PIN_NOT_INITIALIZED: {
    code: 'PIN_BLOCKED',
    message: 'the token has no user PIN yet',
    hint: "set one with the token's own tool",
  },
  CKR_FUNCTION_CANCELED: { code: 'PASSWORD_REQUIRED', message: 'the PIN entry was cancelled' },
};

/** What the user is told of a failure in the module's process; `where` names the module. */
export function explainFailure(error: unknown, where: string): Failure {
  if (error instanceof RolesAnywhereError) {
    return { code: error.code, message: error.message, hint: error.hint, lost: false };
  }
  if (error instanceof CryptokiError) {
    const known = explanations[error.result];
    return {
      code: known?.code ?? 'PKCS11_FAILED',
      message: `${error.where ?? where}: ${known === undefined ? error.message : `${known.message} (${error.message})`}`,
      hint: known?.hint,
      lost: lost.has(error.result) && !mayHaveCounted(error),
    };
  }
  const reason = error instanceof Error ? error.message : String(error);
  // What the module gave is not what its specification says; anything else is our own defect.
  const code = error instanceof EncodingError ? 'PKCS11_FAILED' : 'INTERNAL';
  return { code, message: `${where}: ${reason}`, hint: undefined, lost: false };
}

/** The cause of an error after which opening the token again may help. */
class TokenLost extends Error {
  override readonly name = 'TokenLost';
}

/** The failure as it is thrown in the process of the user. */
export function toError({ code, message, hint, lost: isLost }: Failure): RolesAnywhereError {
  return new RolesAnywhereError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(isLost ? { cause: new TokenLost(message) } : {}),
  });
}

export function wasLost(error: unknown): boolean {
  return error instanceof RolesAnywhereError && error.cause instanceof TokenLost;
}
