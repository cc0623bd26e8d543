import { RolesAnywhereError } from '../../errors.ts';
import * as ck from './constants.ts';
import { CryptokiError, isResult, moduleFailed, patiently, pause } from './cryptoki.ts';
import type { Cryptoki, Handle } from './cryptoki.ts';
import { isDefaultLibrary } from './library.ts';
import { TokenObjects, equal, readUlong } from './objects.ts';
import type { FoundCertificate, FoundKey, PinQuestion, Requests, Search } from './protocol.ts';
import { describePublicKey } from './public-key.ts';
import { signingMethods } from './signature.ts';
import type { SigningMethod } from './signature.ts';
import { describeToken, matchesObject, matchesSlot, objectUri, readSlots } from './slots.ts';
import type { Slot } from './slots.ts';
import { formatPkcs11Uri } from './uri.ts';

export interface ServiceListener {
  warn(message: string, hint?: string): void;
  debug(message: string): void;
  /** Asks for the PIN. Throws PASSWORD_REQUIRED when there is none. */
  askPin(question: PinQuestion): Promise<string>;
}

/** ML-DSA-87 signs in 4627 bytes (FIPS 204, table 2), RSA in 2048 at most. */
const maximumSignature = 8192;

/** Results by which a module or key refuses a mechanism that it lists: another may do. */
const mechanismRefused = new Set([
  'CKR_MECHANISM_INVALID',
  'CKR_MECHANISM_PARAM_INVALID',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
]);

/**
 * What is done with a PKCS #11 module, in the process that loaded it. Nothing is found by the order of objects, no
 * session is opened before it is needed, and there is one login to a token at most.
 *
 * Throws CryptokiError besides what each method says.
 */
export class TokenService {
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

  /** @throws RolesAnywhereError PKCS11_UNAVAILABLE */
  load({ library }: Requests['load']['params']): void {
    try {
      this.#cryptoki.load(library);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new RolesAnywhereError('PKCS11_UNAVAILABLE', `cannot load the PKCS#11 module: ${reason}`, {
        hint: isDefaultLibrary(library)
          ? 'install p11-kit (p11-kit-modules in Debian, p11-kit elsewhere), or name a module with --pkcs11-lib'
          : 'check the path of the module and its libraries',
      });
    }
    this.#start();
    this.#listener.debug(
      `pkcs11: loaded ${library}: ${this.#slots.map(describeToken).join(', ') || 'no token'}`,
    );
  }

  /** @throws RolesAnywhereError PASSWORD_WRONG, PIN_BLOCKED */
  async certificates({
    search,
    slots: names,
  }: Requests['certificates']['params']): Promise<readonly FoundCertificate[]> {
    const slots = this.#accessible(search, names);
    const found = slots.flatMap((slot) => this.#certificatesIn(slot, search));
    // Private certificates show after a login only; of several tokens, none is worth a try of its PIN.
    const [slot] = slots;
    if (found.some(({ matches }) => matches) || slot === undefined || slots.length > 1) return found;
    try {
      return (await this.#login(slot)) ? this.#certificatesIn(slot, search) : found;
    } catch (error) {
      if (error instanceof RolesAnywhereError && error.code === 'PASSWORD_REQUIRED') return found;
      throw error;
    }
  }

  /** @throws RolesAnywhereError PKCS11_AMBIGUOUS, PASSWORD_REQUIRED, PASSWORD_WRONG, PIN_BLOCKED */
  async keys({ search, slots: names, publicKeys }: Requests['keys']['params']): Promise<readonly FoundKey[]> {
    const slots = this.#accessible(search, names);
    const visible = slots.flatMap((slot) => this.#keysIn(slot, search));
    const isWanted = (publicKey: Uint8Array | undefined): boolean =>
      publicKey !== undefined && (publicKeys.length === 0 || publicKeys.some((one) => equal(one, publicKey)));
    if (visible.some(({ publicKey }) => isWanted(publicKey))) return visible;

    // A login tries a PIN, so it is made to one token alone: the one whose public objects show the key.
    const locked = slots.filter((slot) => this.#needsLogin(slot));
    const likely = locked.filter((slot) =>
      this.#objects(slot)
        .publicObjects()
        .some((object) =>
          publicKeys.length === 0 ? matchesObject(search, object) : isWanted(object.publicKey),
        ),
    );
    const candidates = likely.length > 0 ? likely : locked;
    const [slot] = candidates;
    if (slot === undefined) return visible;
    if (candidates.length > 1) {
      throw new RolesAnywhereError(
        'PKCS11_AMBIGUOUS',
        `${formatPkcs11Uri(search)} matches several tokens: ${candidates.map(describeToken).sort().join(', ')}`,
        { hint: 'add serial= or slot-id= to the URI' },
      );
    }
    await this.#login(slot);
    return [...visible.filter((key) => key.slot !== nameOf(slot)), ...this.#keysIn(slot, search)];
  }

  /** Signs with one C_Sign. @throws RolesAnywhereError KEY_UNSUPPORTED, PASSWORD_REQUIRED, PASSWORD_WRONG, PIN_BLOCKED */
  async sign({ key, publicKey, message, digest }: Requests['sign']['params']): Promise<Uint8Array> {
    const slot = this.#slots.find((candidate) => nameOf(candidate) === key.slot);
    if (slot === undefined) throw new CryptokiError('C_SignInit', 'CKR_TOKEN_NOT_PRESENT');
    const handle = Buffer.from(key.handle);
    const asksEachTime = this.#objects(slot).read(handle, ck.CKA_ALWAYS_AUTHENTICATE)?.[0] === 1;
    const methods = this.#offered(slot, signingMethods(describePublicKey(publicKey), message, digest));
    const method = await this.#signInit(slot, handle, methods);
    try {
      if (asksEachTime) await this.#loginForSignature(slot);
      const signature = Buffer.alloc(maximumSignature);
      const length = this.#cryptoki.C_Sign(this.#session(slot), Buffer.from(method.data), signature);
      return method.finish(Uint8Array.from(signature.subarray(0, length)));
    } catch (error) {
      // The operation that was begun may still be active, and would refuse the next one.
      this.#closeSession(slot);
      throw error;
    }
  }

  /** Leaves nothing open: sessions, which takes back logins, then the module. Never throws. */
  close(): void {
    for (const slot of this.#slots) this.#closeSession(slot);
    if (!this.#initialized) return;
    this.#initialized = false;
    this.#quietly(() => {
      this.#cryptoki.C_Finalize();
    });
  }

  #start(): void {
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
  #accessible(search: Search, names: readonly string[] | undefined): readonly Slot[] {
    const find = (): readonly Slot[] =>
      this.#slots.filter(
        (slot) =>
          matchesSlot(search, slot) && (names?.includes(nameOf(slot)) ?? true) && this.#isAccessible(slot),
      );
    for (const milliseconds of [30, 60, 120]) {
      const found = find();
      if (found.length > 0 || this.#sessions.size > 0) return found;
      this.close();
      pause(milliseconds);
      this.#start();
    }
    return find();
  }

  #isAccessible(slot: Slot): boolean {
    try {
      this.#session(slot);
      return true;
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
      this.#listener.debug(`pkcs11: skipped ${describeToken(slot)}: ${error.message}`);
      return false;
    }
  }

  #session(slot: Slot): Handle {
    const open = this.#sessions.get(nameOf(slot));
    if (open !== undefined) return open;
    const session = this.#cryptoki.C_OpenSession(slot.handle, ck.CKF_SERIAL_SESSION);
    this.#sessions.set(nameOf(slot), session);
    return session;
  }

  #closeSession(slot: Slot): void {
    const session = this.#sessions.get(nameOf(slot));
    if (session === undefined) return;
    // Closing the last session of a token logs out (version 2.40, section 5.6, C_CloseSession).
    this.#sessions.delete(nameOf(slot));
    this.#loggedIn.delete(nameOf(slot));
    this.#quietly(() => {
      this.#cryptoki.C_CloseSession(session);
    });
  }

  #objects(slot: Slot): TokenObjects {
    return new TokenObjects(this.#cryptoki, this.#session(slot));
  }

  #certificatesIn(slot: Slot, search: Search): readonly FoundCertificate[] {
    const objects = this.#objects(slot);
    return objects.list(ck.CKO_CERTIFICATE).flatMap((object) => {
      const uri = objectUri(slot, object, 'cert');
      const der = objects.certificate(object.handle);
      if (der === undefined) this.#listener.debug(`pkcs11: skipped ${uri}: it holds no X.509 certificate`);
      return der === undefined
        ? []
        : [{ der, uri, slot: nameOf(slot), matches: matchesObject(search, object) }];
    });
  }

  #keysIn(slot: Slot, search: Search): readonly FoundKey[] {
    const objects = this.#objects(slot);
    const matching = objects.list(ck.CKO_PRIVATE_KEY).filter((object) => matchesObject(search, object));
    if (matching.length === 0) return [];
    const others = objects.publicObjects();
    return matching.map((object) => ({
      slot: nameOf(slot),
      handle: object.handle,
      uri: objectUri(slot, object, 'private'),
      keyType: objects.readNumber(object.handle, ck.CKA_KEY_TYPE) ?? -1,
      publicKey: objects.publicKey(object, others),
    }));
  }

  #needsLogin(slot: Slot): boolean {
    return !this.#loggedIn.has(nameOf(slot)) && (this.#flags(slot) & ck.CKF_LOGIN_REQUIRED) !== 0;
  }

  /** Returns whether there was a login to make. */
  async #login(slot: Slot): Promise<boolean> {
    if (!this.#needsLogin(slot)) return false;
    await this.#authenticate(slot, ck.CKU_USER, 'login');
    this.#loggedIn.add(nameOf(slot));
    return true;
  }

  /** CKA_ALWAYS_AUTHENTICATE: each signature wants a login of its own, after C_SignInit (version 2.40, section 5.6). */
  async #loginForSignature(slot: Slot): Promise<void> {
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
      this.#listener.warn(`enter the PIN of ${token} on the reader`);
    } else {
      pin = await this.#listener.askPin({ token, purpose });
    }
    try {
      patiently(
        () => {
          this.#cryptoki.C_Login(this.#session(slot), user, pin);
        },
        (error) => pin !== '' && this.#isInnocent(slot, error),
      );
    } catch (error) {
      if (isResult(error, 'CKR_USER_ALREADY_LOGGED_IN')) return;
      throw error instanceof CryptokiError ? new CryptokiError(error.call, error.result, token) : error;
    }
  }

  /** Whether a login failed by the module alone: the token has a PIN, and counted none as wrong. */
  #isInnocent(slot: Slot, error: unknown): boolean {
    if (!isResult(error, ...moduleFailed, 'CKR_USER_PIN_NOT_INITIALIZED')) return false;
    const pinFlags = this.#flags(slot) & (ck.CKF_USER_PIN_INITIALIZED | ck.CKF_USER_PIN_COUNT_LOW);
    return pinFlags === ck.CKF_USER_PIN_INITIALIZED;
  }

  #flags(slot: Slot): number {
    return patiently(() => this.#cryptoki.C_GetTokenInfo(slot.handle)).flags;
  }

  /** The methods whose mechanism the token lists; all of them where it lists none, or lists nothing that we know. */
  #offered(slot: Slot, methods: readonly SigningMethod[]): readonly SigningMethod[] {
    let mechanisms: readonly number[];
    try {
      mechanisms = this.#cryptoki.C_GetMechanismList(slot.handle);
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
      return methods;
    }
    const offered = methods.filter(({ mechanism }) => mechanisms.includes(mechanism));
    return offered.length > 0 ? offered : methods;
  }

  /** Begins the signature by the first method that module and key accept. */
  async #signInit(slot: Slot, key: Handle, methods: readonly SigningMethod[]): Promise<SigningMethod> {
    for (const method of methods) {
      try {
        await this.#whenLoggedIn(slot, () => {
          this.#cryptoki.C_SignInit(this.#session(slot), { mechanism: method.mechanism }, key);
        });
        return method;
      } catch (error) {
        if (!(error instanceof CryptokiError && mechanismRefused.has(error.result))) throw error;
        this.#listener.debug(`pkcs11: mechanism 0x${method.mechanism.toString(16)}: ${error.message}`);
      }
    }
    throw new RolesAnywhereError(
      'KEY_UNSUPPORTED',
      `${describeToken(slot)} offers no mechanism that the service takes`,
      {
        hint: 'RSA keys need CKM_RSA_PKCS or CKM_SHA256_RSA_PKCS, EC keys CKM_ECDSA or CKM_ECDSA_SHA256',
      },
    );
  }

  /** A key may be visible to everybody and still want a login before it signs. */
  async #whenLoggedIn(slot: Slot, action: () => void): Promise<void> {
    try {
      action();
    } catch (error) {
      if (!isResult(error, 'CKR_USER_NOT_LOGGED_IN') || !(await this.#login(slot))) throw error;
      action();
    }
  }

  #quietly(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#listener.debug(`pkcs11: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function nameOf({ handle }: Slot): string {
  return readUlong(handle).toString();
}
