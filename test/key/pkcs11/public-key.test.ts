import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncodingError } from '../../../src/encoding/encoding-error.ts';
import * as ck from '../../../src/key/pkcs11/constants.ts';
import { describePublicKey, ecdsaPublicKey, mlDsaPublicKey } from '../../../src/key/pkcs11/public-key.ts';
import { signingMethods } from '../../../src/key/pkcs11/signature.ts';

// node:crypto's own encoding is what ours is held against.
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curves = {
  'P-256': { oid: '06082a8648ce3d030107', size: 32 },
  'P-384': { oid: '06052b81040022', size: 48 },
  'P-521': { oid: '06052b81040023', size: 66 },
} as const;
const keys = (Object.keys(curves) as (keyof typeof curves)[]).map((name) => ({
  name,
  ...curves[name],
  pair: generateKeyPairSync('ec', { namedCurve: name }),
}));
const spki = (key: { publicKey: typeof rsa.publicKey }): Buffer =>
  key.publicKey.export({ type: 'spki', format: 'der' });
const fromUrl = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');

describe('SubjectPublicKeyInfo from attributes', () => {
  it('of RSA, as test/encoding/spki.test.ts has it', () => {
    expect(describePublicKey(spki(rsa))).toEqual({ keyType: 'rsa' });
  });

  it.each(keys)('of $name: point raw or wrapped, curve by identifier', ({ oid, size, pair }) => {
    const { x, y } = pair.publicKey.export({ format: 'jwk' });
    const raw = Buffer.concat([Buffer.of(4), fromUrl(x), fromUrl(y)]);
    const header = raw.length < 0x80 ? [4, raw.length] : [4, 0x81, raw.length];
    for (const point of [raw, Buffer.concat([Buffer.from(header), raw])]) {
      expect(Buffer.from(ecdsaPublicKey(Buffer.from(oid, 'hex'), point))).toEqual(spki(pair));
    }
    expect(describePublicKey(spki(pair))).toEqual({ keyType: 'ec', coordinateSize: size });
  });

  it('of a curve by its name (version 3.0)', () => {
    const p256 = keys[0];
    if (p256 === undefined) throw new Error('no key');
    const { x, y } = p256.pair.publicKey.export({ format: 'jwk' });
    const raw = Buffer.concat([Buffer.of(4), fromUrl(x), fromUrl(y)]);
    const parameters = Buffer.concat([Buffer.of(0x13, 9), Buffer.from('secp256r1')]);
    expect(Buffer.from(ecdsaPublicKey(parameters, raw))).toEqual(spki(p256.pair));
  });

  it('of ML-DSA, by its parameter set', () => {
    for (const [index, keyType] of (['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const).entries()) {
      expect(describePublicKey(mlDsaPublicKey(index + 1, Buffer.alloc(1312)))).toEqual({ keyType });
    }
    expect(() => mlDsaPublicKey(4, Buffer.alloc(1))).toThrow(EncodingError);
  });

  it('a curve that the service does not take, or a broken point, is an EncodingError', () => {
    const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    expect(() => describePublicKey(spki(secp256k1))).toThrow(EncodingError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(...keys), (point, { oid }) => {
        try {
          ecdsaPublicKey(Buffer.from(oid, 'hex'), point);
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
        }
      }),
    );
  });
});

describe('signing methods', () => {
  const message = Buffer.from('message');

  it('RSA: DigestInfo is what CKM_RSA_PKCS pads', () => {
    const [first, second] = signingMethods({ keyType: 'rsa' }, message, 'SHA384');
    expect([first?.mechanism, second?.mechanism]).toEqual([ck.CKM_RSA_PKCS, ck.CKM_SHA384_RSA_PKCS]);
    expect(Buffer.from(second?.data ?? [])).toEqual(message);
    expect(
      Buffer.from(first?.data ?? [])
        .subarray(0, 19)
        .toString('hex'),
    ).toBe(
      '3041300d060960864801650304020205000430', // RFC 8017, section 9.2, note 1
    );
  });

  it.each(keys)('$name: r and s become a SEQUENCE that node:crypto verifies', ({ size, pair }) => {
    for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const) {
      const [method] = signingMethods({ keyType: 'ec', coordinateSize: size }, message, digest);
      expect(method?.data.length).toBeLessThanOrEqual(size);
      const raw = sign(digest, message, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
      const signature = method?.finish(raw) ?? new Uint8Array();
      expect(verify(digest, message, pair.publicKey, signature)).toBe(true);
    }
  });

  it('an ECDSA signature of any other length is an EncodingError', () => {
    const [method] = signingMethods({ keyType: 'ec', coordinateSize: 32 }, message, 'SHA256');
    for (const length of [0, 1, 63, 65, 66, 128]) {
      expect(() => method?.finish(new Uint8Array(length))).toThrow(EncodingError);
    }
  });

  it('ML-DSA signs the message itself', () => {
    const methods = signingMethods({ keyType: 'ml-dsa-65' }, message, 'SHA256');
    expect(methods.map(({ mechanism, data }) => [mechanism, Buffer.from(data)])).toEqual([
      [ck.CKM_ML_DSA, message],
    ]);
  });
});
