import { RolesAnywhereError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { TpmFault } from './fault.ts';
import { TpmRefusal } from './response-code.ts';

/** What helps against a response code, whatever was asked for. */
const cures: Readonly<Record<string, string>> = {
  LOCKOUT:
    'too many wrong passwords were tried: wait until it ends (tpm2_getcap properties-variable tells when), or reset it with tpm2_dictionarylockout --clear-lockout',
  INITIALIZE: 'start it up: tpm2_startup -c',
  FAILURE: 'restart the machine, or the TPM simulator',
  HANDLE: 'tpm2_getcap handles-persistent lists the keys in the TPM',
  REFERENCE_H0: 'tpm2_getcap handles-persistent lists the keys in the TPM',
  OBJECT_MEMORY:
    'programs left objects behind in it: remove them with tpm2_flushcontext --transient-object, or use the resource manager /dev/tpmrm0',
  OBJECT_HANDLES:
    'programs left objects behind in it: remove them with tpm2_flushcontext --transient-object, or use the resource manager /dev/tpmrm0',
  SESSION_MEMORY:
    'programs left sessions behind in it: remove them with tpm2_flushcontext --loaded-session, or use the resource manager /dev/tpmrm0',
  SESSION_HANDLES: 'programs left sessions behind in it: remove them with tpm2_flushcontext --saved-session',
};

/** The error for users, for what went wrong in the TPM or on the way to it; anything else is a defect, left as it is. */
export function describeFailure(error: unknown, code: ErrorCode, what: string): unknown {
  if (!(error instanceof TpmRefusal || error instanceof TpmFault)) return error;
  const hint = error instanceof TpmRefusal ? cures[error.code.name ?? ''] : error.hint;
  return new RolesAnywhereError(code, `${what}: ${error.message}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
