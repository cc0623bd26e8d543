/** A CK_ULONG in the machine's own byte order, as the addon takes and gives slots, sessions and objects. */
export type Handle = Buffer;

/** A number stands for a CK_ULONG. */
interface SearchAttribute {
  readonly type: number;
  readonly value: number;
}

interface Attribute {
  readonly type: number;
  readonly value?: Buffer;
}

/** The functions of PKCS #11 that we call, as pkcs11js' addon offers them: each throws `Error('CKR_…:number')`. */
export interface Cryptoki {
  load(path: string): void;
  C_Initialize(options: { flags: number }): void;
  C_Finalize(): void;
  C_GetInfo(): { manufacturerID: string; libraryDescription: string; libraryVersion: Version };
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetSlotInfo(slot: Handle): { slotDescription: string; manufacturerID: string };
  C_GetTokenInfo(slot: Handle): TokenInfo;
  C_GetMechanismList(slot: Handle): number[];
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_Login(session: Handle, user: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly SearchAttribute[]): void;
  C_FindObjects(session: Handle, maximum: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(session: Handle, object: Handle, template: Attribute[]): Attribute[];
  C_SignInit(session: Handle, mechanism: { mechanism: number }, key: Handle): void;
  /** Returns how many bytes of `signature` it filled. */
  C_Sign(session: Handle, data: Buffer, signature: Buffer): number;
}

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** CK_TOKEN_INFO: the texts are padded to a fixed width, mostly with blanks. */
export interface TokenInfo {
  readonly label: string;
  readonly manufacturerID: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly flags: number;
}

/** A function of the module that did not return CKR_OK. Stays inside this folder; users get a RolesAnywhereError. */
export class CryptokiError extends Error {
  override readonly name = 'CryptokiError';
  readonly call: string;
  /** Such as `CKR_PIN_INCORRECT`. */
  readonly result: string;
  /** What it was about, such as a token; undefined when that is not known. */
  readonly where: string | undefined;

  constructor(call: string, result: string, where?: string) {
    super(`${call} returned ${result}`);
    this.call = call;
    this.result = result;
    this.where = where;
  }
}

/**
 * Announces each call before it is made, so that whoever listens knows where a module crashed or hangs, and makes
 * its failures CryptokiErrors.
 */
export function announceCalls(cryptoki: Cryptoki, announce: (call: string) => void): Cryptoki {
  return new Proxy(cryptoki, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function' || typeof name !== 'string') return method;
      return (...args: unknown[]): unknown => {
        announce(name);
        try {
          return Reflect.apply(method, target, args);
        } catch (error) {
          throw toCryptokiError(name, error);
        }
      };
    },
  });
}

function toCryptokiError(call: string, error: unknown): unknown {
  const [, name = '', number = '0'] =
    (error instanceof Error && /^(CKR_\w+):(\d+)$/.exec(error.message)) || [];
  if (name === '') return error;
  // The addon knows the names of version 2.40; of the others the number has to do.
  return new CryptokiError(call, name === 'CKR_VENDOR_DEFINED' ? `0x${Number(number).toString(16)}` : name);
}

export function isResult(error: unknown, ...results: readonly string[]): boolean {
  return error instanceof CryptokiError && results.includes(error.result);
}

/** How a module fails where neither the caller nor the token is to blame. */
export const moduleFailed = ['CKR_GENERAL_ERROR', 'CKR_FUNCTION_FAILED'];
const attempts = 8;

/**
 * Repeats a call that changes nothing while the module itself fails: SoftHSM does for a moment when another process
 * writes to the same token, as each login there does.
 */
export function patiently<T>(
  call: () => T,
  mayRepeat: (error: unknown) => boolean = (error) => isResult(error, ...moduleFailed),
): T {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return call();
    } catch (error) {
      if (attempt === attempts || !mayRepeat(error)) throw error;
      pause(10 * attempt * (1 + Math.random()));
    }
  }
}

/** This process does nothing but call the module, so it may as well stand still. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
