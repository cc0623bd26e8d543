import { describe, expect, it } from 'vitest';
import * as ck from '../../../src/key/pkcs11/constants.ts';
import { announceCalls } from '../../../src/key/pkcs11/cryptoki.ts';
import { explainFailure } from '../../../src/key/pkcs11/failure.ts';
import { mlDsaPublicKey } from '../../../src/key/pkcs11/public-key.ts';
import { TokenService } from '../../../src/key/pkcs11/service.ts';
import { makeFakeToken } from './fake-token.ts';
import type { FakeObject, FakeToken } from './fake-token.ts';

const value = Buffer.alloc(1952, 7);
const objects: readonly FakeObject[] = [
  {
    [ck.CKA_CLASS]: ck.CKO_PUBLIC_KEY,
    [ck.CKA_ID]: Buffer.of(1),
    [ck.CKA_KEY_TYPE]: ck.CKK_ML_DSA,
    [ck.CKA_PARAMETER_SET]: 2,
    [ck.CKA_VALUE]: value,
  },
  {
    [ck.CKA_CLASS]: ck.CKO_PRIVATE_KEY,
    [ck.CKA_ID]: Buffer.of(1),
    [ck.CKA_LABEL]: Buffer.from('key'),
    [ck.CKA_KEY_TYPE]: ck.CKK_ML_DSA,
    // A private key's value is secret; asking for it would be a defect.
  },
];

function serve(token: FakeToken) {
  const asked: string[] = [];
  const service = new TokenService(
    announceCalls(token.cryptoki, () => undefined),
    {
      warn: () => undefined,
      debug: () => undefined,
      enterPinOnReader: () => undefined,
      askPin: ({ purpose }) => {
        asked.push(purpose);
        return Promise.resolve('1234');
      },
    },
  );
  service.load({ library: 'fake' });
  return { service, asked };
}

const count = ({ calls }: FakeToken, call: string): number => calls.filter((one) => one === call).length;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => explainFailure(error, 'fake').code,
  );
}

describe('CKM_ML_DSA, which no token here can show', () => {
  it('signs the message itself with the key of that parameter set', async () => {
    const token = makeFakeToken(objects);
    const { service } = serve(token);
    const [key] = await service.keys({ search: {}, publicKeys: [] });
    const publicKey = mlDsaPublicKey(2, value);
    expect(Buffer.from(key?.publicKey ?? [])).toEqual(Buffer.from(publicKey));
    if (key === undefined) throw new Error('no key');
    const signature = await service.sign({
      key,
      publicKey,
      message: Buffer.from('message'),
      digest: 'SHA256',
    });
    expect(Buffer.from(signature).toString()).toBe('signed message');
    service.close();
    expect(count(token, 'C_OpenSession')).toBe(count(token, 'C_CloseSession'));
    expect(count(token, 'C_Finalize')).toBe(1);
  });
});

describe('a module that fails for a moment', () => {
  it('while it reads the token is asked again', async () => {
    const token = makeFakeToken(objects);
    const { service } = serve(token);
    token.fail('C_GetTokenInfo', 'CKR_GENERAL_ERROR', 'CKR_FUNCTION_FAILED');
    expect(await service.keys({ search: {}, publicKeys: [] })).toHaveLength(1);
  });

  it.each(['CKR_GENERAL_ERROR', 'CKR_FUNCTION_FAILED', 'CKR_USER_PIN_NOT_INITIALIZED'])(
    'at a login with %s is asked again, with the same PIN, when it is SoftHSM',
    async (result) => {
      const token = makeFakeToken(objects, 'SoftHSM project');
      const { service, asked } = serve(token);
      token.fail('C_Login', result);
      expect(await service.keys({ search: {}, publicKeys: [] })).toHaveLength(1);
      expect(count(token, 'C_Login')).toBe(2);
      expect(asked).toEqual(['login']);
    },
  );

  it.each([
    ['SoftHSM project', 'CKR_PIN_INCORRECT'],
    ['SoftHSM project', 'CKR_DEVICE_ERROR'],
    ['maker', 'CKR_PIN_INCORRECT'],
    ['maker', 'CKR_GENERAL_ERROR'],
    ['maker', 'CKR_FUNCTION_FAILED'],
    ['maker', 'CKR_DEVICE_ERROR'],
  ])(
    '%s, %s: a login that may have counted is not made again, not even by a new process',
    async (maker, result) => {
      const token = makeFakeToken(objects, maker);
      const { service } = serve(token);
      token.fail('C_Login', result);
      const error: unknown = await service
        .keys({ search: {}, publicKeys: [] })
        .catch((reason: unknown) => reason);
      expect(explainFailure(error, 'fake')).toMatchObject({
        code: expect.any(String) as string,
        lost: false,
      });
      expect(count(token, 'C_Login')).toBe(1);
    },
  );
});

describe('matching', () => {
  it('compares texts without their padding, and slot-id=0 with the slot', async () => {
    const { service } = serve(makeFakeToken(objects));
    const search = {
      token: 'fake',
      manufacturer: 'maker',
      model: 'model',
      serial: '0001',
      slotId: 0n,
      slotDescription: 'slot',
      slotManufacturer: 'slots',
      libraryManufacturer: 'fake',
      libraryDescription: 'fake',
      libraryVersion: '1.2',
    };
    expect(await service.keys({ search, publicKeys: [] })).toHaveLength(1);
    for (const name of Object.keys(search)) {
      const other = { ...search, [name]: name === 'slotId' ? 1n : 'other' };
      expect(await service.keys({ search: other, publicKeys: [] }), name).toEqual([]);
    }
  });
});

describe('a signature that fails', () => {
  it('leaves no operation behind that would refuse the next one', async () => {
    const token = makeFakeToken(objects);
    const { service } = serve(token);
    const [key] = await service.keys({ search: {}, publicKeys: [] });
    if (key === undefined) throw new Error('no key');
    const request = {
      key,
      publicKey: mlDsaPublicKey(2, value),
      message: Buffer.from('m'),
      digest: 'SHA256' as const,
    };
    token.fail('C_Sign', 'CKR_DATA_INVALID');
    expect(await codeOf(service.sign(request))).toBe('PKCS11_FAILED');
    expect(await codeOf(service.sign(request))).toBe('none');
  });
});
