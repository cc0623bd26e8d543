import {
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  generateKeyPairSync,
  privateEncrypt,
  randomBytes,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { response, serveTpm } from './tpm-server.ts';
import type { Reaction, TpmServer } from './tpm-server.ts';

// A small TPM that verifies: written from the specification without the code under test, so that a mistake cannot
// cancel itself out. It holds one RSA signing key, at a persistent handle and below any parent, and knows HMAC sessions.

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const sized = (bytes: Uint8Array): Buffer => {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
};
const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const sha256 = (...pieces: Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(pieces)).digest();
const hmac = (key: Uint8Array, ...pieces: Uint8Array[]): Buffer =>
  createHmac('sha256', key).update(Buffer.concat(pieces)).digest();
/** KDFa for 256 bits: one block. */
const kdfa = (key: Uint8Array, label: string, u: Uint8Array, v: Uint8Array): Buffer =>
  hmac(key, word(1), Buffer.from(`${label}\0`), u, v, word(256));

export const signingKey: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
});
const modulus = Buffer.from(signingKey.publicKey.export({ format: 'jwk' }).n ?? '', 'base64url');

/** TPMT_PUBLIC: RSA, SHA-256, fixedTPM fixedParent sensitiveDataOrigin userWithAuth sign, no scheme, 65537. */
export const signingArea: Buffer = Buffer.concat([
  hex('0001 000b 00040072 0000 0010 0010 0800 00000000'),
  sized(modulus),
]);
/** The same with noDA: no wrong password for it counts. */
export const exemptArea: Buffer = Buffer.concat([
  signingArea.subarray(0, 4),
  hex('00040472'),
  signingArea.subarray(8),
]);
/** The same bound to RSASSA with SHA-256 and restricted, as attestation keys are. */
export const restrictedArea: Buffer = Buffer.concat([
  hex('0001 000b 00050072 0000 0010 0014 000b 0800 00000000'),
  sized(modulus),
]);
const nameOf = (area: Uint8Array): Buffer => Buffer.concat([hex('000b'), sha256(area)]);

export const persistentHandle = 0x81000101;
export const parentHandle = 0x81000001;
export const privatePart: Buffer = Buffer.from('wrapped by the parent');

export const codes = {
  getTestResult: 0x17c,
  readPublic: 0x173,
  createPrimary: 0x131,
  startAuthSession: 0x176,
  load: 0x157,
  sign: 0x15d,
  hash: 0x17d,
  flushContext: 0x165,
  getCapability: 0x17a,
} as const;
export type CommandName = keyof typeof codes;

export interface FakeTpmOptions {
  readonly password?: string;
  readonly parentPassword?: string;
  readonly area?: Buffer;
  /** How many more wrong passwords it takes before it locks itself (32). */
  readonly triesLeft?: number;
  /** Something else than the right answer. `handled` is that right answer, for faults that come after the deed. */
  readonly fault?: (
    command: CommandName,
    bytes: Buffer,
    handled: () => Buffer,
  ) => Reaction | undefined | Promise<Reaction | undefined>;
}

export interface FakeTpm extends TpmServer {
  /** Each command that came, but for the one that every connection begins with. */
  readonly commands: CommandName[];
  /** The connection that each of them came over. */
  readonly connections: number[];
  /** All bytes of all commands and responses, as somebody on the bus sees them. */
  readonly bus: Buffer[];
  /** Objects and sessions that are loaded now. */
  readonly loaded: ReadonlySet<number>;
}

interface Session {
  key: Buffer;
  nonceTpm: Buffer;
  readonly encrypts: boolean;
}

export async function startFakeTpm(options: FakeTpmOptions = {}): Promise<FakeTpm> {
  const area = options.area ?? signingArea;
  const commands: CommandName[] = [];
  const connections: number[] = [];
  const bus: Buffer[] = [];
  const loaded = new Set<number>();
  const sessions = new Map<number, Session>();
  const parents = new Map<number, Buffer>([[parentHandle, Buffer.from('name of the parent')]]);
  const saltKey = createECDH('prime256v1');
  const saltPoint = saltKey.generateKeys();
  const storageArea = Buffer.concat([
    hex('0023 000b 00030472 0000 0006 0080 0043 0010 0003 0010'),
    sized(saltPoint.subarray(1, 33)),
    sized(saltPoint.subarray(33)),
  ]);
  let next = 0;

  const load = (type: number): number => {
    const handle = ((type << 24) | (next += 1)) >>> 0;
    loaded.add(handle);
    return handle;
  };

  const nameOfHandle = (handle: number): Buffer => {
    if (handle >>> 24 === 0x40) return word(handle);
    return parents.get(handle) ?? nameOf(area);
  };

  const passwordOf = (code: number): string =>
    (code === codes.sign ? options.password : options.parentPassword) ?? '';

  /** Checks the authorization, and returns the parameters in clear and how to seal the answer. */
  function authorize(code: number, handle: number, rest: Buffer) {
    const authorizationSize = rest.readUInt32BE(0);
    let parameters = rest.subarray(4 + authorizationSize);
    const sessionHandle = rest.readUInt32BE(4);
    const nonceSize = rest.readUInt16BE(8);
    const nonceCaller = rest.subarray(10, 10 + nonceSize);
    const attributes = rest.readUInt8(10 + nonceSize);
    const proof = rest.subarray(13 + nonceSize, 4 + authorizationSize);
    const isHierarchyOfNobody = handle === 0x40000007;
    const password = Buffer.from(isHierarchyOfNobody ? '' : passwordOf(code));
    // A key below a parent that was derived: only the hierarchy has the password.
    const isDerived = code === codes.load && parents.has(handle) && handle !== parentHandle;
    const auth = isDerived ? Buffer.alloc(0) : password;
    if (sessionHandle === 0x40000009) {
      if (!proof.equals(auth)) return undefined;
      return {
        parameters,
        seal: (answer: Buffer) => Buffer.concat([word(answer.length), answer, hex('0000 01 0000')]),
      };
    }
    const session = sessions.get(sessionHandle);
    if (session === undefined) return undefined;
    const key = Buffer.concat([session.key, auth]);
    const cpHash = sha256(word(code), nameOfHandle(handle), parameters);
    const expected = hmac(key, cpHash, nonceCaller, session.nonceTpm, Buffer.of(attributes));
    if (!expected.equals(proof)) return undefined;
    if ((attributes & 0x20) !== 0) {
      const secret = kdfa(key, 'CFB', nonceCaller, session.nonceTpm);
      const size = parameters.readUInt16BE(0);
      const decipher = createDecipheriv('aes-128-cfb', secret.subarray(0, 16), secret.subarray(16));
      const first = decipher.update(parameters.subarray(2, 2 + size));
      parameters = Buffer.concat([sized(first), parameters.subarray(2 + size)]);
    }
    return {
      parameters,
      seal: (answer: Buffer) => {
        session.nonceTpm = randomBytes(32);
        if ((attributes & 0x40) !== 0) {
          const secret = kdfa(key, 'CFB', session.nonceTpm, nonceCaller);
          const size = answer.readUInt16BE(0);
          const cipher = createCipheriv('aes-128-cfb', secret.subarray(0, 16), secret.subarray(16));
          answer = Buffer.concat([
            sized(cipher.update(answer.subarray(2, 2 + size))),
            answer.subarray(2 + size),
          ]);
        }
        const rpHash = sha256(word(0), word(code), answer);
        const tail = Buffer.of(attributes);
        return Buffer.concat([
          ...[word(answer.length), answer, sized(session.nonceTpm), tail],
          sized(hmac(key, rpHash, session.nonceTpm, nonceCaller, tail)),
        ]);
      },
    };
  }

  function handle(code: number, command: Buffer): Buffer {
    const body = command.subarray(10);
    const entity = body.length >= 4 ? body.readUInt32BE(0) : 0;
    switch (code) {
      case codes.getTestResult:
        return response(0, hex('0000 00000000'));
      case codes.readPublic: {
        if (entity === parentHandle) {
          parents.set(entity, nameOf(storageArea));
          return response(0, Buffer.concat([storageArea, nameOf(storageArea), hex('000b')].map(sized)));
        }
        if (entity !== persistentHandle) return response(0x18b);
        return response(0, Buffer.concat([area, nameOf(area), hex('000b')].map(sized)));
      }
      case codes.startAuthSession: {
        const nonceCaller = body.subarray(10, 10 + body.readUInt16BE(8));
        const rest = body.subarray(10 + nonceCaller.length);
        const salt = rest.subarray(2, 2 + rest.readUInt16BE(0));
        const nonceTpm = randomBytes(32);
        let key: Buffer = Buffer.alloc(0);
        if (salt.length > 0) {
          const x = salt.subarray(2, 34);
          const z = saltKey.computeSecret(Buffer.concat([Buffer.of(4), x, salt.subarray(36)]));
          const secret = sha256(word(1), z, Buffer.from('SECRET\0'), x, saltPoint.subarray(1, 33));
          key = kdfa(secret, 'ATH', nonceTpm, nonceCaller);
        }
        const session = load(0x02);
        sessions.set(session, {
          key,
          nonceTpm,
          encrypts: rest.readUInt16BE(3 + salt.length) === 0x0006,
        });
        return response(0, Buffer.concat([word(session), sized(nonceTpm)]));
      }
      case codes.flushContext:
        return response(loaded.delete(entity) ? 0 : 0x1cb);
      case codes.getCapability: {
        // TPM_CAP_TPM_PROPERTIES: two from TPM_PT_LOCKOUT_COUNTER on.
        if (!body.equals(hex('00000006 0000020e 00000002'))) return response(0x2c4);
        const counter = Buffer.concat([hex('0000020e'), word(32 - (options.triesLeft ?? 32))]);
        return response(0, Buffer.concat([hex('01 00000006 00000002'), counter, hex('0000020f 00000020')]));
      }
      case codes.hash: {
        const message = body.subarray(2, 2 + body.readUInt16BE(0));
        const ticket = Buffer.concat([hex('8024 40000001'), sized(hmac(modulus, sha256(message)))]);
        return response(0, Buffer.concat([sized(sha256(message)), ticket]));
      }
    }
    const authorized = authorize(code, entity, body.subarray(4));
    if (authorized === undefined) return response(code === codes.sign ? 0x98e : 0x9a2);
    const { parameters, seal } = authorized;
    switch (code) {
      case codes.createPrimary: {
        const primary = load(0x80);
        parents.set(primary, nameOf(storageArea));
        const ticket = hex('8021 40000001 0000');
        const answer = Buffer.concat([
          ...[storageArea, hex(''), hex('')].map(sized),
          ticket,
          sized(nameOf(storageArea)),
        ]);
        return response(0, Buffer.concat([word(primary), seal(answer)]), 0x8002);
      }
      case codes.load: {
        if (!parameters.subarray(2, 2 + privatePart.length).equals(privatePart)) return response(0x1df);
        return response(0, Buffer.concat([word(load(0x80)), seal(sized(nameOf(area)))]), 0x8002);
      }
      case codes.sign: {
        const digest = parameters.subarray(2, 34);
        if (!parameters.subarray(34, 38).equals(hex('0014 000b'))) return response(0x2d2);
        const hasTicket = parameters
          .subarray(38)
          .equals(Buffer.concat([hex('8024 40000001'), sized(hmac(modulus, digest))]));
        if (area === restrictedArea && !hasTicket) return response(0x3e0);
        const digestInfo = Buffer.concat([hex('3031300d060960864801650304020105000420'), digest]);
        const key = { key: signingKey.privateKey, padding: constants.RSA_PKCS1_PADDING };
        const signature = Buffer.concat([hex('0014 000b'), sized(privateEncrypt(key, digestInfo))]);
        return response(0, seal(signature), 0x8002);
      }
      default:
        return response(0x143);
    }
  }

  const server = await serveTpm(async (bytes, connection) => {
    const code = bytes.readUInt32BE(6);
    const name = (Object.keys(codes) as CommandName[]).find((known) => codes[known] === code);
    if (name === undefined) return response(0x143);
    if (name !== 'getTestResult') {
      commands.push(name);
      connections.push(connection);
    }
    bus.push(bytes);
    const reaction = (await options.fault?.(name, bytes, () => handle(code, bytes))) ?? handle(code, bytes);
    if (typeof reaction !== 'string') bus.push(Buffer.from(reaction));
    return reaction;
  });
  return Object.assign(server, { commands, connections, bus, loaded });
}
