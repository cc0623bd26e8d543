import { RolesAnywhereError } from '../../errors.ts';
import * as ck from './constants.ts';
import { CryptokiError, isResult } from './cryptoki.ts';
import type { Cryptoki, Handle } from './cryptoki.ts';
import { isDefaultLibrary } from './library.ts';
import { TokenObjects, equal } from './objects.ts';
import type { FoundCertificate, FoundKey, Requests, Search } from './protocol.ts';
import { describePublicKey } from './public-key.ts';
import { TokenSessions } from './sessions.ts';
import type { ServiceListener } from './sessions.ts';
import { signingMethods } from './signature.ts';
import type { SigningMethod } from './signature.ts';
import { describeToken, matchesObject, nameOf, objectUri } from './slots.ts';
import type { Slot } from './slots.ts';
import { formatPkcs11Uri } from './uri.ts';

/** ML-DSA-87 signs in 4627 bytes (FIPS 204, table 2), RSA in 2048 at most. */
const maximumSignature = 8192;

/** Results by which a module or key refuses a mechanism that it lists: another may do. */
const mechanismRefused = new Set([
  'CKR_MECHANISM_INVALID',
  'CKR_MECHANISM_PARAM_INVALID',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
]);

/**
 * What is done with a PKCS #11 module, in the process that loaded it. Nothing is found by the order of objects.
 *
 * Throws CryptokiError besides what each method says.
 */
export class TokenService {
  readonly #cryptoki: Cryptoki;
  readonly #listener: ServiceListener;
  readonly #sessions: TokenSessions;

  constructor(cryptoki: Cryptoki, listener: ServiceListener) {
    this.#cryptoki = cryptoki;
    this.#listener = listener;
    this.#sessions = new TokenSessions(cryptoki, listener);
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
    this.#sessions.start();
    const tokens = this.#sessions.slots.map(describeToken).join(', ');
    this.#listener.debug(`pkcs11: loaded ${library}: ${tokens || 'no token'}`);
  }

  /** @throws RolesAnywhereError PASSWORD_WRONG, PIN_BLOCKED */
  async certificates({
    search,
    slots: names,
  }: Requests['certificates']['params']): Promise<readonly FoundCertificate[]> {
    const slots = this.#sessions.find(search, names);
    const found = slots.flatMap((slot) => this.#certificatesIn(slot, search));
    // Private certificates show after a login only; of several tokens, none is worth a try of its PIN.
    const [slot] = slots;
    if (found.some(({ matches }) => matches) || slot === undefined || slots.length > 1) return found;
    try {
      return (await this.#sessions.login(slot)) ? this.#certificatesIn(slot, search) : found;
    } catch (error) {
      if (error instanceof RolesAnywhereError && error.code === 'PASSWORD_REQUIRED') return found;
      throw error;
    }
  }

  /** @throws RolesAnywhereError PKCS11_AMBIGUOUS, PASSWORD_REQUIRED, PASSWORD_WRONG, PIN_BLOCKED */
  async keys({
    search,
    slots: names,
    wanted = search,
    publicKeys,
  }: Requests['keys']['params']): Promise<readonly FoundKey[]> {
    const slots = this.#sessions.find(search, names);
    const visible = slots.flatMap((slot) => this.#keysIn(slot, search));
    const isWanted = (publicKey: Uint8Array | undefined): boolean =>
      publicKey !== undefined && (publicKeys.length === 0 || publicKeys.some((one) => equal(one, publicKey)));
    if (visible.some(({ publicKey }) => isWanted(publicKey))) return visible;

    // A login tries a PIN, so it is made to one token alone: the one whose public objects show the key.
    const locked = slots.filter((slot) => this.#sessions.needsLogin(slot));
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
        `${formatPkcs11Uri(wanted)} matches several tokens: ${candidates.map(describeToken).sort().join(', ')}`,
        { hint: 'add serial= or slot-id= to the URI' },
      );
    }
    await this.#sessions.login(slot);
    return [...visible.filter((key) => key.slot !== nameOf(slot)), ...this.#keysIn(slot, search)];
  }

  /** Signs with one C_Sign. @throws RolesAnywhereError KEY_UNSUPPORTED, PASSWORD_REQUIRED, PASSWORD_WRONG, PIN_BLOCKED */
  async sign({ key, publicKey, message, digest }: Requests['sign']['params']): Promise<Uint8Array> {
    const slot = this.#sessions.slots.find((candidate) => nameOf(candidate) === key.slot);
    if (slot === undefined) throw new CryptokiError('C_SignInit', 'CKR_TOKEN_NOT_PRESENT');
    const handle = Buffer.from(key.handle);
    const asksEachTime = this.#objects(slot).read(handle, ck.CKA_ALWAYS_AUTHENTICATE)?.[0] === 1;
    const methods = this.#offered(slot, signingMethods(describePublicKey(publicKey), message, digest));
    const method = await this.#signInit(slot, handle, methods);
    try {
      if (asksEachTime) await this.#sessions.loginForSignature(slot);
      const signature = Buffer.alloc(maximumSignature);
      const length = this.#cryptoki.C_Sign(this.#sessions.open(slot), Buffer.from(method.data), signature);
      return method.finish(Uint8Array.from(signature.subarray(0, length)));
    } catch (error) {
      // The operation that was begun may still be active, and would refuse the next one.
      this.#sessions.closeSession(slot);
      throw error;
    }
  }

  /** Leaves nothing open. Never throws. */
  close(): void {
    this.#sessions.close();
  }

  #objects(slot: Slot): TokenObjects {
    return new TokenObjects(this.#cryptoki, this.#sessions.open(slot));
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
          this.#cryptoki.C_SignInit(this.#sessions.open(slot), { mechanism: method.mechanism }, key);
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
      if (!isResult(error, 'CKR_USER_NOT_LOGGED_IN') || !(await this.#sessions.login(slot))) throw error;
      action();
    }
  }
}
