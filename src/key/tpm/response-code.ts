// TPM_RC (TPM 2.0 Library, Part 2, section 6.6): the names and what they say, by the format that they come in.

type Names = Readonly<Record<number, readonly [name: string, words: string]>>;

/** RC_FMT1 (section 6.6.3): errors of one handle, session or parameter, which the code names too. */
const formatOne: Names = {
  0x01: ['ASYMMETRIC', 'the asymmetric algorithm is not supported'],
  0x02: ['ATTRIBUTES', 'the attributes do not fit'],
  0x03: ['HASH', 'the hash algorithm is not supported'],
  0x04: ['VALUE', 'a value is out of range'],
  0x05: ['HIERARCHY', 'the hierarchy is not enabled or not the right one'],
  0x07: ['KEY_SIZE', 'the key size is not supported'],
  0x08: ['MGF', 'the mask generation function is not supported'],
  0x09: ['MODE', 'the mode of operation is not supported'],
  0x0a: ['TYPE', 'the type is not appropriate'],
  0x0b: ['HANDLE', 'the handle is not correct'],
  0x0c: ['KDF', 'the key derivation function is not supported'],
  0x0d: ['RANGE', 'a value was out of the allowed range'],
  0x0e: ['AUTH_FAIL', 'the authorization failed and counts towards the dictionary attack lock-out'],
  0x0f: ['NONCE', 'the nonce has a wrong size'],
  0x10: ['PP', 'physical presence is required'],
  0x12: ['SCHEME', 'the scheme is not supported'],
  0x15: ['SIZE', 'a structure has the wrong size'],
  0x16: ['SYMMETRIC', 'the symmetric algorithm is not supported'],
  0x17: ['TAG', 'the structure tag is not correct'],
  0x18: ['SELECTOR', 'the union selector is not correct'],
  0x1a: ['INSUFFICIENT', 'a structure was too short'],
  0x1b: ['SIGNATURE', 'the signature is not valid'],
  0x1c: ['KEY', 'the key is not compatible with the selected use'],
  0x1d: ['POLICY_FAIL', 'a policy check failed'],
  0x1f: ['INTEGRITY', 'the integrity check failed'],
  0x20: ['TICKET', 'the ticket is not valid'],
  0x21: ['RESERVED_BITS', 'a reserved bit was set'],
  0x22: ['BAD_AUTH', 'the authorization failed'],
  0x23: ['EXPIRED', 'the policy has expired'],
  0x24: ['POLICY_CC', 'the command is not the one of the policy'],
  0x25: ['BINDING', 'the public and sensitive parts do not belong together'],
  0x26: ['CURVE', 'the curve is not supported'],
  0x27: ['ECC_POINT', 'the point is not on the curve'],
};

/** RC_VER1 (section 6.6.2): errors that no single parameter is to blame for. */
const versionOne: Names = {
  0x00: ['INITIALIZE', 'the TPM has not been started up'],
  0x01: ['FAILURE', 'the TPM is in failure mode'],
  0x03: ['SEQUENCE', 'a sequence was used wrongly'],
  0x20: ['DISABLED', 'the command is disabled'],
  0x21: ['EXCLUSIVE', 'another session has the TPM for itself'],
  0x24: ['AUTH_TYPE', 'this kind of authorization is not allowed for the key'],
  0x25: ['AUTH_MISSING', 'an authorization is missing'],
  0x26: ['POLICY', 'the policy is not correct'],
  0x2d: ['UPGRADE', 'the TPM is in field upgrade mode'],
  0x2e: ['TOO_MANY_CONTEXTS', 'the context counter is at its end'],
  0x2f: ['AUTH_UNAVAILABLE', 'the key can be used by its policy alone'],
  0x30: ['REBOOT', 'the TPM must be restarted'],
  0x42: ['COMMAND_SIZE', 'the command has the wrong size'],
  0x43: ['COMMAND_CODE', 'the command is not supported'],
  0x44: ['AUTHSIZE', 'the authorization area has the wrong size'],
  0x45: ['AUTH_CONTEXT', 'the command takes no authorization'],
  0x53: ['BAD_CONTEXT', 'the context is not valid'],
};

/** RC_WARN (section 6.6.3): the TPM cannot do it now. */
const warnings: Names = {
  0x01: ['CONTEXT_GAP', 'the gap between contexts is too large'],
  0x02: ['OBJECT_MEMORY', 'the TPM has no memory left for objects'],
  0x03: ['SESSION_MEMORY', 'the TPM has no memory left for sessions'],
  0x04: ['MEMORY', 'the TPM has no memory left'],
  0x05: ['SESSION_HANDLES', 'the TPM has no session handle left'],
  0x06: ['OBJECT_HANDLES', 'the TPM has no object handle left'],
  0x07: ['LOCALITY', 'the locality is not allowed'],
  0x08: ['YIELDED', 'the TPM paused the command'],
  0x09: ['CANCELED', 'the command was cancelled'],
  0x0a: ['TESTING', 'the TPM is testing itself'],
  0x10: ['REFERENCE_H0', 'the first handle refers to an object that is not loaded'],
  0x11: ['REFERENCE_H1', 'the second handle refers to an object that is not loaded'],
  0x18: ['REFERENCE_S0', 'the first session is not loaded'],
  0x20: ['NV_RATE', 'the TPM limits writes to its memory'],
  0x21: ['LOCKOUT', 'the TPM is in its dictionary attack lock-out'],
  0x22: ['RETRY', 'the TPM was not able to start the command'],
  0x23: ['NV_UNAVAILABLE', 'the memory of the TPM is not available'],
};

/** Resend the same command: nothing happened. */
const retried = ['RETRY', 'YIELDED', 'TESTING', 'CANCELED', 'NV_RATE', 'NV_UNAVAILABLE'];
/** Others hold what is missing: let go of everything, wait, begin again. */
const exhausted = ['OBJECT_MEMORY', 'SESSION_MEMORY', 'MEMORY', 'SESSION_HANDLES', 'OBJECT_HANDLES'];

export interface ResponseCode {
  readonly value: number;
  /** As the specification has it, without TPM_RC_; undefined for vendors' own codes. */
  readonly name: string | undefined;
  /** What it says, for messages: `TPM_RC_AUTH_FAIL (0x98e, session 1): the authorization failed …`. */
  readonly words: string;
  /** The number of the parameter that is to blame. */
  readonly parameter: number | undefined;
  readonly advice: 'resend' | 'begin again' | 'give up';
}

/** Reads a response code (Part 2, section 6.6.1, figure "Format-Zero/Format-One Response Codes"). */
export function readResponseCode(value: number): ResponseCode {
  // The bits above the lowest twelve say which layer of software answered in the TPM's place.
  const { names, number, subject, parameter } = dissect(value & 0xfff);
  const [name, meaning] = names?.[number] ?? [undefined, undefined];
  const detail = [`0x${value.toString(16)}`, subject].filter((part) => part !== undefined).join(', ');
  const words =
    name === undefined ? `unknown response code (${detail})` : `TPM_RC_${name} (${detail}): ${meaning}`;
  const isIn = (list: readonly string[]): boolean => name !== undefined && list.includes(name);
  const advice = isIn(retried) ? 'resend' : isIn(exhausted) ? 'begin again' : 'give up';
  return { value, name, words, parameter, advice };
}

function dissect(value: number): {
  readonly names: Names | undefined;
  readonly number: number;
  readonly subject?: string;
  readonly parameter?: number;
} {
  if ((value & 0x080) === 0) {
    const isOfTpm2 = (value & 0x100) !== 0 && (value & 0x400) === 0;
    const names = (value & 0x800) === 0 ? versionOne : warnings;
    return { names: isOfTpm2 ? names : undefined, number: value & 0x07f };
  }
  const base = { names: formatOne, number: value & 0x03f };
  const index = value >>> 8;
  if ((value & 0x040) !== 0) return { ...base, subject: `parameter ${index}`, parameter: index };
  if (index === 0) return base;
  return { ...base, subject: index >= 8 ? `session ${index - 8}` : `handle ${index}` };
}

/** The TPM answered a command with an error. */
export class TpmRefusal extends Error {
  override readonly name = 'TpmRefusal';
  /** As the specification names it: `TPM2_Sign`. */
  readonly command: string;
  readonly code: ResponseCode;

  constructor(command: string, code: ResponseCode) {
    super(`${command} was answered by ${code.words}`);
    this.command = command;
    this.code = code;
  }

  /** The password is wrong (AUTH_FAIL counts towards the lock-out, BAD_AUTH where the object is exempt from it). */
  get isWrongPassword(): boolean {
    return this.code.name === 'AUTH_FAIL' || this.code.name === 'BAD_AUTH';
  }
}
