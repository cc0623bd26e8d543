import * as ck from '../../../src/key/pkcs11/constants.ts';
import type { Cryptoki, Handle } from '../../../src/key/pkcs11/cryptoki.ts';

/** An object's attributes by their types; numbers stand for a CK_ULONG. */
export type FakeObject = Readonly<Record<number, Uint8Array | number>>;

export interface FakeToken {
  readonly cryptoki: Cryptoki;
  /** Each call, in order. */
  readonly calls: string[];
  /** Makes the next calls of a function fail with these results, one after the other. */
  fail(call: string, ...results: readonly string[]): void;
}

const ulong = (value: number): Handle => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

/** One token in one slot, as the addon shows it: it insists on the order of calls, and hides private keys before a login. */
export function makeFakeToken(objects: readonly FakeObject[], manufacturer = 'maker'): FakeToken {
  const calls: string[] = [];
  const failures = new Map<string, string[]>();
  let isInitialized = false;
  let isLoggedIn = false;
  let found: Handle[] | undefined;
  let signing: number | undefined;
  const sessions = new Set<string>();

  const called = (call: string): void => {
    calls.push(call);
    const result = failures.get(call)?.shift();
    if (result !== undefined) throw new Error(`${result}:5`);
    if (!isInitialized && call !== 'C_Initialize') throw new Error('CKR_CRYPTOKI_NOT_INITIALIZED:400');
  };
  const using = (call: string, session: Handle): void => {
    called(call);
    if (!sessions.has(session.toString('hex'))) throw new Error('CKR_SESSION_HANDLE_INVALID:179');
  };

  const cryptoki: Cryptoki = {
    load: () => undefined,
    C_Initialize: () => {
      called('C_Initialize');
      isInitialized = true;
    },
    C_Finalize: () => {
      called('C_Finalize');
      isInitialized = false;
    },
    C_GetInfo: () => ({
      manufacturerID: 'fake'.padEnd(32),
      libraryDescription: 'fake'.padEnd(32),
      libraryVersion: { major: 1, minor: 2 },
    }),
    C_GetSlotList: () => [ulong(0)],
    C_GetSlotInfo: () => ({ slotDescription: 'slot'.padEnd(64), manufacturerID: 'slots\0\0' }),
    C_GetTokenInfo: () => {
      called('C_GetTokenInfo');
      return {
        label: 'fake'.padEnd(32),
        manufacturerID: manufacturer.padEnd(32),
        model: 'model'.padEnd(16),
        serialNumber: '0001'.padEnd(16),
        flags: ck.CKF_LOGIN_REQUIRED,
      };
    },
    C_GetMechanismList: () => [ck.CKM_RSA_PKCS, ck.CKM_ECDSA, ck.CKM_ML_DSA],
    C_OpenSession: () => {
      called('C_OpenSession');
      const session = ulong(sessions.size + 100);
      sessions.add(session.toString('hex'));
      return session;
    },
    C_CloseSession: (session) => {
      using('C_CloseSession', session);
      sessions.delete(session.toString('hex'));
      isLoggedIn = false;
      signing = undefined;
    },
    C_Login: (session, user, given) => {
      using('C_Login', session);
      if (given !== '1234') throw new Error('CKR_PIN_INCORRECT:160');
      if (user === ck.CKU_USER) isLoggedIn = true;
    },
    C_FindObjectsInit: (session, [template]) => {
      using('C_FindObjectsInit', session);
      if (found !== undefined) throw new Error('CKR_OPERATION_ACTIVE:144');
      found = objects.flatMap((object, index) =>
        object[ck.CKA_CLASS] === template?.value && (isLoggedIn || template?.value !== ck.CKO_PRIVATE_KEY)
          ? [ulong(index)]
          : [],
      );
    },
    C_FindObjects: () => found?.splice(0, 1) ?? [],
    C_FindObjectsFinal: () => {
      found = undefined;
    },
    C_GetAttributeValue: (session, object, [attribute]) => {
      using('C_GetAttributeValue', session);
      const type = attribute?.type ?? 0;
      const value = objects[Number(object.readBigUInt64LE())]?.[type];
      if (value === undefined) throw new Error('CKR_ATTRIBUTE_TYPE_INVALID:18');
      return [{ type, value: typeof value === 'number' ? ulong(value) : Buffer.from(value) }];
    },
    C_SignInit: (session, { mechanism }) => {
      using('C_SignInit', session);
      if (signing !== undefined) throw new Error('CKR_OPERATION_ACTIVE:144');
      signing = mechanism;
    },
    C_Sign: (session, data, signature) => {
      using('C_Sign', session);
      if (signing === undefined) throw new Error('CKR_OPERATION_NOT_INITIALIZED:145');
      signing = undefined;
      return Buffer.concat([Buffer.from('signed '), data]).copy(signature);
    },
  };
  return {
    cryptoki,
    calls,
    fail: (call, ...results) => {
      failures.set(call, [...results]);
    },
  };
}
