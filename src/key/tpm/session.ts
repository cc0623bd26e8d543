import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { createPrimary, hierarchy, startAuthSession, symmetricParameter } from './commands.ts';
import type { Command } from './commands.ts';
import { handles, sessionAttributes } from './constants.ts';
import { kdfA, kdfE } from './kdf.ts';
import { join, sized, TpmReader, uint16, uint32, uint8 } from './marshal.ts';
import { storageTemplates } from './public-area.ts';
import type { EccPublicArea } from './public-area.ts';
import { TpmRefusal } from './response-code.ts';

/** How one command is authorized. */
export interface Authorization {
  /** The parameters as they go over the bus, and the TPMS_AUTH_COMMAND (Part 2, section 10.13.2). */
  seal(command: Command<unknown>): { readonly parameters: Uint8Array; readonly area: Uint8Array };
  /**
   * The parameters of the answer in clear, once the TPMS_AUTH_RESPONSE (Part 2, section 10.13.3) proves them.
   *
   * @throws EncodingError when it does not
   */
  open(command: Command<unknown>, parameters: Uint8Array, area: TpmReader): Uint8Array;
}

/** The password session (Part 1, section 19.4) with the empty password: there is nothing to protect. */
export const emptyPassword: Authorization = {
  seal: ({ parameters }) => ({
    parameters,
    area: join(uint32(handles.password), sized(), uint8(sessionAttributes.continueSession), sized()),
  }),
  open: (_command, parameters, area) => {
    area.sized();
    area.uint8();
    area.sized();
    return parameters;
  },
};

/** What a session needs of the connection to the TPM. */
export interface CommandRunner {
  execute<Answer>(command: Command<Answer>, authorization?: Authorization): Promise<Answer>;
  flush(handle: number): Promise<void>;
  warn(message: string): void;
}

const nonceBytes = 32;

/**
 * An HMAC session (Part 1, sections 19.6 and 21): the password itself never crosses the bus, in either direction
 * every byte is authenticated, and the first parameter is encrypted.
 */
export class HmacSession {
  readonly handle: number;
  readonly #key: Uint8Array;
  /** All that is to be wiped. */
  readonly #secrets: Uint8Array[];
  readonly #encrypts: boolean;
  #nonceCaller: Uint8Array;
  #nonceTpm: Uint8Array;

  constructor(session: {
    readonly handle: number;
    readonly salt: Uint8Array;
    readonly nonceCaller: Uint8Array;
    readonly nonceTpm: Uint8Array;
    readonly encrypts: boolean;
  }) {
    this.handle = session.handle;
    this.#nonceCaller = session.nonceCaller;
    this.#nonceTpm = session.nonceTpm;
    this.#encrypts = session.encrypts;
    // sessionKey (Part 1, section 19.6.8): without a salt it is the Empty Buffer.
    this.#key =
      session.salt.length === 0
        ? session.salt
        : kdfA(session.salt, 'ATH', session.nonceTpm, session.nonceCaller, 256);
    this.#secrets = [this.#key];
  }

  /**
   * Authorizes one command by the password of its first entity.
   *
   * @param authValue without zero bytes at its end (Part 1, section 19.6.4.3)
   */
  authorize(authValue: Uint8Array): Authorization {
    const key = join(this.#key, authValue);
    this.#secrets.push(key);
    return {
      seal: (command) => {
        this.#nonceCaller = randomBytes(nonceBytes);
        const { continueSession, decrypt, encrypt } = sessionAttributes;
        const encryptsCommand = this.#encrypts && command.encryptable.command;
        const encryptsResponse = this.#encrypts && command.encryptable.response;
        const attributes =
          continueSession | (encryptsCommand ? decrypt : 0) | (encryptsResponse ? encrypt : 0);
        const parameters = encryptsCommand
          ? changeFirst(command.parameters, (bytes) => {
              const cipher = createCipheriv(...this.#cipher(key, this.#nonceCaller, this.#nonceTpm));
              return join(cipher.update(bytes), cipher.final());
            })
          : command.parameters;
        // cpHash (Part 1, section 16.7): what the caller agrees to, and on which objects.
        const names = command.entities.map(({ name }) => name);
        const cpHash = sha256(uint32(command.code), ...names, parameters);
        const hmac = this.#hmac(key, cpHash, this.#nonceCaller, this.#nonceTpm, attributes);
        return {
          parameters,
          area: join(uint32(this.handle), sized(this.#nonceCaller), uint8(attributes), sized(hmac)),
        };
      },
      open: (command, parameters, area) => {
        const nonceTpm = area.sized();
        const attributes = area.uint8();
        const rpHash = sha256(uint32(0), uint32(command.code), parameters);
        const expected = this.#hmac(key, rpHash, nonceTpm, this.#nonceCaller, attributes);
        const hmac = area.sized();
        if (hmac.length !== expected.length || !timingSafeEqual(hmac, expected)) {
          throw new EncodingError('its HMAC is wrong: somebody on the bus may have changed it');
        }
        this.#nonceTpm = Uint8Array.from(nonceTpm);
        if (!this.#encrypts || !command.encryptable.response) return parameters;
        return changeFirst(parameters, (bytes) => {
          const decipher = createDecipheriv(...this.#cipher(key, this.#nonceTpm, this.#nonceCaller));
          return join(decipher.update(bytes), decipher.final());
        });
      },
    };
  }

  /** Wipes the session's keys, which hold passwords. */
  dispose(): void {
    for (const secret of this.#secrets) secret.fill(0);
  }

  /** authHMAC (Part 1, section 19.6.5). */
  #hmac(
    key: Uint8Array,
    parameterHash: Uint8Array,
    nonceNewer: Uint8Array,
    nonceOlder: Uint8Array,
    attributes: number,
  ): Uint8Array {
    return createHmac('sha256', key)
      .update(join(parameterHash, nonceNewer, nonceOlder, uint8(attributes)))
      .digest();
  }

  /** Key and initial vector for CFB mode (Part 1, section 21.3). */
  #cipher(
    key: Uint8Array,
    nonceNewer: Uint8Array,
    nonceOlder: Uint8Array,
  ): ['aes-128-cfb', Uint8Array, Uint8Array] {
    const derived = kdfA(key, 'CFB', nonceNewer, nonceOlder, 256);
    return ['aes-128-cfb', derived.subarray(0, 16), derived.subarray(16)];
  }
}

/**
 * Opens an HMAC session, salted and encrypting where the TPM offers it. The salt goes to a key that the TPM makes for
 * this purpose from the null hierarchy's seed: that needs nobody's password, whatever the key's own parent is.
 */
export async function startSession(tpm: CommandRunner): Promise<HmacSession> {
  const saltKey = await createSaltKey(tpm);
  const salt = saltKey === undefined ? undefined : { key: saltKey, ...makeSalt(saltKey.area) };
  const nonceCaller = randomBytes(nonceBytes);
  const start = async (encrypts: boolean): Promise<HmacSession> => {
    const { handle, nonceTpm } = await tpm.execute(startAuthSession(nonceCaller, salt, encrypts));
    const secret = salt?.secret ?? new Uint8Array();
    return new HmacSession({ handle, salt: secret, nonceCaller, nonceTpm, encrypts });
  };
  try {
    const session = await start(true).catch((error: unknown) => {
      if (!(error instanceof TpmRefusal && error.code.parameter === symmetricParameter)) throw error;
      tpm.warn(
        'the TPM does not encrypt parameters: passwords stay secret, but digests can be read on its bus',
      );
      return start(false);
    });
    if (saltKey !== undefined) await tpm.flush(saltKey.handle);
    return session;
  } finally {
    salt?.secret.fill(0);
  }
}

async function createSaltKey(
  tpm: CommandRunner,
): Promise<{ handle: number; name: Uint8Array; area: EccPublicArea } | undefined> {
  try {
    const key = await tpm.execute(
      createPrimary(hierarchy(handles.null), storageTemplates.ecc),
      emptyPassword,
    );
    const { area } = key;
    if (area.type !== 'ecc') throw new EncodingError('the TPM made a key of another type than asked for');
    return { ...key, area };
  } catch (error) {
    // It names the parameter that it cannot do: the curve, the cipher, elliptic curves at all.
    if (!(error instanceof TpmRefusal) || error.code.parameter === undefined) throw error;
    tpm.warn(
      'the TPM cannot salt a session: who listens on its bus can try passwords against what was heard',
    );
    return undefined;
  }
}

/**
 * A salt that only the TPM can read: ECDH with an ephemeral key (Part 1, section C.6.3).
 *
 * @returns the salt, and what goes into the TPM2B_ENCRYPTED_SECRET: the ephemeral key's TPMS_ECC_POINT
 */
export function makeSalt(area: EccPublicArea): {
  readonly secret: Uint8Array;
  readonly encrypted: Uint8Array;
} {
  const point = join(uint8(0x04), padded(area.x), padded(area.y));
  for (;;) {
    const ephemeral = createECDH('prime256v1');
    const own = ephemeral.generateKeys();
    const x = own.subarray(1, 33);
    const z = ephemeral.computeSecret(point);
    // Some TPMs drop leading zeros and some do not: without any, both derive the same salt.
    if (x[0] === 0 || z[0] === 0) continue;
    const secret = kdfE(z, 'SECRET', x, padded(area.x), 256);
    z.fill(0);
    return { secret, encrypted: join(sized(x), sized(own.subarray(33))) };
  }
}

function padded(coordinate: Uint8Array): Uint8Array {
  return join(new Uint8Array(Math.max(32 - coordinate.length, 0)), coordinate);
}

/** Encrypts or decrypts what is in the first parameter, a TPM2B; its size stays in clear. */
function changeFirst(parameters: Uint8Array, change: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const reader = new TpmReader(parameters);
  const first = change(reader.sized());
  return join(uint16(first.length), first, reader.rest());
}

function sha256(...pieces: readonly Uint8Array[]): Uint8Array {
  return createHash('sha256')
    .update(join(...pieces))
    .digest();
}
