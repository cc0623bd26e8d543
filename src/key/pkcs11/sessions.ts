import { RolesAnywhereError } from '../../errors.ts';
import * as ck from './constants.ts';
import { CryptokiError, isResult, moduleFailed, patiently, pause } from './cryptoki.ts';
import type { Cryptoki, Handle } from './cryptoki.ts';
import type { PinQuestion, Search } from './protocol.ts';
import { describeToken, matchesSlot, nameOf, readSlots } from './slots.ts';
import type { Slot } from './slots.ts';

export interface ServiceListener {
  warn(message: string, hint?: string): void;
  debug(message: string): void;
  /** A person is to type the PIN of this token on its reader, while the C_Login that comes next waits. */
  enterPinOnReader(token: string): void;
  /** Asks for the PIN. Throws PASSWORD_REQUIRED when there is none. */
  askPin(question: PinQuestion): Promise<string>;
}

/**
 * The slots of a module that was loaded, one session each at most, opened when it is needed, and the logins.
 *
 * Throws CryptokiError besides what each method says.
 */
export class TokenSessions {
  readonly #cryptoki: Cryptoki;
  readonly #listener: ServiceListener;
  readonly #sessions = new Map<string, Handle>();
  readonly #loggedIn = new Set<string>();
  #slots: readonly Slot[] = [];
  #initialized = false;

  constructor(cryptoki: Cryptoki, listener: ServiceListener) {
    this.#cryptoki = cryptoki;
    this.#listener = listener;
  }

  /** Those that hold a token. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Leaves nothing open: sessions, which takes back logins, then the module. Never throws. */
  close(): void {
    for (const slot of this.#slots) this.closeSession(slot);
    if (!this.#initialized) return;
    this.#initialized = false;
    this.#quietly(() => {
      this.#cryptoki.C_Finalize();
    });
  }

  start(): void {
    try {
      this.#cryptoki.C_Initialize({ flags: ck.CKF_OS_LOCKING_OK });
    } catch (error) {
      if (!isResult(error, 'CKR_CRYPTOKI_ALREADY_INITIALIZED')) throw error;
    }
    this.#initialized = true;
    this.#slots = readSlots(this.#cryptoki, (reason) => {
      this.#listener.debug(`pkcs11: skipped ${reason}`);
    });
  }

  /**
   * The slots that match and let us open a session. When there are none the module is started again, a few times
   * within a quarter of a second: SoftHSM overlooks a token that another process is writing to, as each login does.
   */
  find(search: Search, names: readonly string[] | undefined): readonly Slot[] {
    const look = (): readonly Slot[] =>
      this.#slots.filter(
        (slot) =>
          matchesSlot(search, slot) && (names?.includes(nameOf(slot)) ?? true) && this.#isAccessible(slot),
      );
    for (const milliseconds of [30, 60, 120]) {
      const found = look();
      if (found.length > 0 || this.#sessions.size > 0) return found;
      this.close();
      pause(milliseconds);
      this.start();
    }
    return look();
  }

  #isAccessible(slot: Slot): boolean {
    try {
      this.open(slot);
      return true;
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
      this.#listener.debug(`pkcs11: skipped ${describeToken(slot)}: ${error.message}`);
      return false;
    }
  }

  open(slot: Slot): Handle {
    const open = this.#sessions.get(nameOf(slot));
    if (open !== undefined) return open;
    const session = this.#cryptoki.C_OpenSession(slot.handle, ck.CKF_SERIAL_SESSION);
    this.#sessions.set(nameOf(slot), session);
    return session;
  }

  closeSession(slot: Slot): void {
    const session = this.#sessions.get(nameOf(slot));
    if (session === undefined) return;
    // Closing the last session of a token logs out (version 2.40, section 5.6, C_CloseSession).
    this.#sessions.delete(nameOf(slot));
    this.#loggedIn.delete(nameOf(slot));
    this.#quietly(() => {
      this.#cryptoki.C_CloseSession(session);
    });
  }

  needsLogin(slot: Slot): boolean {
    return !this.#loggedIn.has(nameOf(slot)) && (this.#flags(slot) & ck.CKF_LOGIN_REQUIRED) !== 0;
  }

  /**
   * Logs in, unless that was done or is not needed: whether it was.
   *
   * @throws RolesAnywhereError PASSWORD_REQUIRED, PASSWORD_WRONG, PIN_BLOCKED
   */
  async login(slot: Slot): Promise<boolean> {
    if (!this.needsLogin(slot)) return false;
    await this.#authenticate(slot, ck.CKU_USER, 'login');
    this.#loggedIn.add(nameOf(slot));
    return true;
  }

  /** CKA_ALWAYS_AUTHENTICATE: each signature wants a login of its own, after C_SignInit (version 2.40, section 5.6). */
  async loginForSignature(slot: Slot): Promise<void> {
    await this.#authenticate(slot, ck.CKU_CONTEXT_SPECIFIC, 'signature');
  }

  async #authenticate(slot: Slot, user: number, purpose: PinQuestion['purpose']): Promise<void> {
    const token = describeToken(slot);
    const flags = this.#flags(slot);
    if ((flags & ck.CKF_USER_PIN_LOCKED) !== 0) {
      throw new RolesAnywhereError('PIN_BLOCKED', `the PIN of ${token} is locked`, {
        hint: "unlock it with the token's own tool and its security officer's PIN",
      });
    }
    if ((flags & ck.CKF_USER_PIN_FINAL_TRY) !== 0) {
      throw new RolesAnywhereError(
        'PIN_BLOCKED',
        `a wrong PIN would lock ${token} now: this program leaves the last try to you`,
        {
          hint: 'log in once with another tool (pkcs11-tool --login --list-objects), which resets the count',
        },
      );
    }
    let pin = '';
    if ((flags & ck.CKF_PROTECTED_AUTHENTICATION_PATH) !== 0) {
      // The PIN shall be NULL_PTR (version 2.40, section 5.6, C_Login); the addon can pass an empty one.
      this.#listener.enterPinOnReader(token);
    } else {
      pin = await this.#listener.askPin({ token, purpose });
    }
    try {
      patiently(
        () => {
          this.#cryptoki.C_Login(this.open(slot), user, pin);
        },
        (error) => this.#isSpurious(slot, error),
      );
    } catch (error) {
      if (isResult(error, 'CKR_USER_ALREADY_LOGGED_IN')) return;
      throw error instanceof CryptokiError ? new CryptokiError(error.call, error.result, token) : error;
    }
  }

  /** Whether a login failed by SoftHSM alone, which counts no wrong PINs. Nobody else's token is tried again. */
  #isSpurious(slot: Slot, error: unknown): boolean {
    return (
      slot.facts.manufacturer === 'SoftHSM project' &&
      isResult(error, ...moduleFailed, 'CKR_USER_PIN_NOT_INITIALIZED')
    );
  }

  #flags(slot: Slot): number {
    return patiently(() => this.#cryptoki.C_GetTokenInfo(slot.handle)).flags;
  }

  #quietly(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#listener.debug(`pkcs11: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
