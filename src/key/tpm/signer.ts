import { verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../errors.ts';
import type { PasswordProvider } from '../password.ts';
import type { Digest, KeyType, Signer } from '../signer.ts';
import { createPrimary, hash, hierarchy, load, noTicket, readPublic, sign, triesLeft } from './commands.ts';
import type { Entity } from './commands.ts';
import { formatHandle, handleType, handleTypes, hierarchyNames, objectAttributes } from './constants.ts';
import { describeFailure } from './failure.ts';
import type { TpmKeyFile } from './key-file.ts';
import { objectName, storageTemplates } from './public-area.ts';
import type { PublicArea } from './public-area.ts';
import { TpmRefusal } from './response-code.ts';
import { emptyPassword, startSession } from './session.ts';
import type { Authorization, CommandRunner } from './session.ts';
import { encodeSignature, prepareDigest } from './signature.ts';
import type { DigestToSign } from './signature.ts';
import { withTpm } from './tpm.ts';
import type { TpmAccess } from './tpm.ts';

interface TpmKey {
  readonly access: TpmAccess;
  /** Aborts what is under way when the signer is closed. */
  readonly closing: AbortController;
  /** What messages call it. */
  readonly name: string;
  readonly area: PublicArea;
  readonly publicKey: KeyObject;
  readonly place: TpmKeyFile | { readonly handle: number };
  readonly password: PasswordProvider | undefined;
  readonly parentPassword: PasswordProvider | undefined;
}

/** Signs by loading the key, using it and letting it go, each time. */
export class TpmSigner implements Signer {
  readonly keyType: KeyType;
  readonly publicKey: Uint8Array;
  readonly #key: TpmKey;
  /** The end of the signing under way: the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  /**
   * A password that is given is used whatever the file says: tpm2_encodeobject 5.4 writes emptyAuth the wrong way
   * round. A person is asked before the empty one is tried, unless that is said to be the right one, or costs nothing.
   */
  #usesPassword: boolean;
  /** Nothing says whether there is a password, and a wrong one counts towards the lock-out. */
  readonly #mayGuess: boolean;
  /** That holds, and nobody can be asked: the empty password is tried, unless that could lock the TPM. */
  #isGuess: boolean;
  /** The TPM refused the password. It is not tried again: some tries more would lock the TPM. */
  #refused: RolesAnywhereError | undefined;

  constructor(key: TpmKey) {
    this.#key = key;
    this.keyType = key.area.type === 'rsa' ? 'rsa' : 'ec';
    this.publicKey = key.publicKey.export({ format: 'der', type: 'spki' });
    const { password, place, area } = key;
    const isExempt = (area.attributes & objectAttributes.noDictionaryAttackProtection) !== 0;
    const mayTryEmpty = 'handle' in place ? isExempt : place.hasEmptyAuth;
    this.#usesPassword = password !== undefined && !(password.isLastResort === true && mayTryEmpty);
    this.#mayGuess = 'handle' in place && !isExempt;
    this.#isGuess = password === undefined && this.#mayGuess;
  }

  sign(message: Uint8Array, digest: Digest = 'SHA256'): Promise<Uint8Array> {
    const signature = this.#turn.then(() => this.#sign(message, digest));
    this.#turn = signature.catch(() => undefined);
    return signature;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#key.closing.abort();
    await this.#turn;
  }

  async #sign(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    const { access, closing, name, area, place, publicKey } = this.#key;
    const prepared = prepareDigest(area, name, message, digest);
    for (;;) {
      if (closing.signal.aborted)
        throw new RolesAnywhereError('SIGNING_FAILED', `the TPM key ${name} is closed`);
      if (this.#refused !== undefined) throw this.#refused;
      const password = await this.#readPassword();
      const parentPassword = await readPassword(
        'handle' in place ? undefined : this.#key.parentPassword,
        `the parent of TPM key ${name}`,
      );
      try {
        const signature = await withTpm(access, (tpm) =>
          this.#signWith(tpm, message, prepared, password, parentPassword),
        );
        if (verify(digest, message, publicKey, signature)) return signature;
        throw new RolesAnywhereError('SIGNING_FAILED', `the signature that TPM key ${name} made is wrong`, {
          hint: 'the key at this handle may have been replaced by another one meanwhile',
        });
      } catch (error) {
        if (this.#usesPassword || this.#isGuess || this.#key.password === undefined || !isLocked(error)) {
          throw this.#explain(error, password, parentPassword);
        }
        this.#usesPassword = true;
      } finally {
        password.fill(0);
        parentPassword.fill(0);
      }
    }
  }

  async #readPassword(): Promise<Uint8Array> {
    const { password, name } = this.#key;
    if (!this.#usesPassword) return new Uint8Array();
    try {
      return await readPassword(password, `the TPM key ${name}`);
    } catch (error) {
      const isNobodyThere = error instanceof RolesAnywhereError && error.code === 'PASSWORD_REQUIRED';
      if (!isNobodyThere || password?.isLastResort !== true || !this.#mayGuess) throw error;
      this.#usesPassword = false;
      this.#isGuess = true;
      return new Uint8Array();
    }
  }

  async #signWith(
    tpm: CommandRunner,
    message: Uint8Array,
    { digest, scheme }: DigestToSign,
    password: Uint8Array,
    parentPassword: Uint8Array,
  ): Promise<Uint8Array> {
    const session = password.length + parentPassword.length === 0 ? undefined : await startSession(tpm);
    const authorize = (authValue: Uint8Array): Authorization =>
      session === undefined || authValue.length === 0 ? emptyPassword : session.authorize(authValue);
    try {
      // A TPM that is locked already says so itself, and does not count.
      if (this.#isGuess && (await tpm.execute(triesLeft())) === 1) throw lastTry(this.#key.name);
      const key = await this.#find(tpm, authorize(parentPassword));
      const isRestricted = (this.#key.area.attributes & objectAttributes.restricted) !== 0;
      const hashed = isRestricted
        ? await tpm.execute(hash(message, scheme.hash))
        : { digest, ticket: noTicket };
      const command = sign(key, hashed.digest, scheme, hashed.ticket);
      return encodeSignature(await tpm.execute(command, authorize(password)));
    } finally {
      session?.dispose();
    }
  }

  /** The key as it can be used: where it is in the TPM, or else loaded below its parent. */
  async #find(tpm: CommandRunner, parentAuthorization: Authorization): Promise<Entity> {
    const { area, place } = this.#key;
    if ('handle' in place) return { handle: place.handle, name: objectName(area) };
    const { parent, privatePart } = place;
    if (handleType(parent) === handleTypes.persistent) {
      const storageKey = await tpm.execute(readPublic(parent));
      return await tpm.execute(load(storageKey, privatePart, area), parentAuthorization);
    }
    const template = place.hasRsaParent ? storageTemplates.rsa : storageTemplates.ecc;
    const storageKey = await tpm.execute(createPrimary(hierarchy(parent), template), parentAuthorization);
    const key = await tpm.execute(load(storageKey, privatePart, area), emptyPassword);
    // Small TPMs have room for three objects.
    await tpm.flush(storageKey.handle);
    return key;
  }

  #explain(error: unknown, password: Uint8Array, parentPassword: Uint8Array): unknown {
    const { name, place } = this.#key;
    const what = `cannot sign with TPM key ${name}`;
    if (!(error instanceof TpmRefusal)) return describeFailure(error, 'SIGNING_FAILED', what);
    const parent = error.command !== 'TPM2_Sign' && 'parent' in place ? nameParent(place) : undefined;
    if (error.isWrongPassword && parent !== undefined) {
      const whose = `the parent of TPM key ${name}, ${parent}`;
      return (this.#refused = wrongPassword(error, whose, '--tpm-parent-password-from', parentPassword));
    }
    if (error.isWrongPassword) {
      const isNeedless = 'hasEmptyAuth' in place && place.hasEmptyAuth;
      const whose = `the TPM key ${name}`;
      return (this.#refused = wrongPassword(error, whose, '--key-password-from', password, isNeedless));
    }
    if (error.command === 'TPM2_Load' && error.code.name === 'INTEGRITY') {
      return new RolesAnywhereError(
        'KEY_INVALID',
        `${what}: it does not belong to ${parent ?? 'its parent'}, as it is in this TPM`,
        {
          hint: 'it was made by another TPM or under another parent, or the TPM was cleared since, or the file is damaged',
          cause: error,
        },
      );
    }
    return describeFailure(error, 'SIGNING_FAILED', what);
  }
}

function wrongPassword(
  cause: TpmRefusal,
  whose: string,
  option: string,
  password: Uint8Array,
  isNeedless = false,
): RolesAnywhereError {
  if (password.length === 0) {
    const hint = `say where it is with ${option}`;
    return new RolesAnywhereError('PASSWORD_REQUIRED', `${whose} needs a password`, { hint, cause });
  }
  const hint = isNeedless
    ? 'the file says that it has none: try without'
    : 'it was tried once: a TPM locks itself after some wrong ones';
  return new RolesAnywhereError('PASSWORD_WRONG', `the password of ${whose} is wrong`, { hint, cause });
}

function lastTry(name: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'PASSWORD_REQUIRED',
    `the TPM key ${name} may need a password, and the next wrong one locks the TPM`,
    { hint: 'say where it is with --key-password-from, or that there is none with --no-tpm-key-password' },
  );
}

/** The key has a password, and it was not that one. */
function isLocked(error: unknown): boolean {
  return error instanceof TpmRefusal && error.isWrongPassword && error.command === 'TPM2_Sign';
}

/** @returns a copy, to be wiped, without zero bytes at the end: a TPM cuts these off (Part 1, section 19.6.4.3) */
async function readPassword(provider: PasswordProvider | undefined, what: string): Promise<Uint8Array> {
  const bytes = (await provider?.(what, 'TPM password'))?.expose() ?? new Uint8Array();
  const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
  return Uint8Array.from(bytes.subarray(0, length));
}

function nameParent({ parent, hasRsaParent }: TpmKeyFile): string {
  if (handleType(parent) === handleTypes.persistent) return `the key at ${formatHandle(parent)}`;
  return `the ${hasRsaParent ? 'RSA' : 'P-256'} storage key of the ${hierarchyNames[parent] ?? 'unknown'} hierarchy`;
}
