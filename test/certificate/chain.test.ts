import { createPrivateKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/certificate/certificate.ts';
import type { Certificate } from '../../src/certificate/certificate.ts';
import { findLeaf, orderIssuers } from '../../src/certificate/chain.ts';
import { expectCode } from '../support/errors.ts';
import { issue, makeAuthority, makeKeys } from '../support/pki.ts';
import type { Issued } from '../support/pki.ts';

const now = new Date();
const days = (count: number): Date => new Date(+now + count * 86_400_000);
const parse = (issued: Issued): Certificate => parseCertificate(issued.certificateDer);
const order = (leaf: Issued, candidates: readonly Issued[]): string[] =>
  orderIssuers(parse(leaf), candidates.map(parse), now).map(({ der }) => Buffer.from(der).toString('hex'));
const list = (...issued: readonly Issued[]): string[] =>
  issued.map(({ certificateDer }) => certificateDer.toString('hex'));

const root = makeAuthority({ name: 'root' });
const middle = makeAuthority({ name: 'middle', issuer: root });
const issuing = makeAuthority({ name: 'issuing', issuer: middle });
const leaf = issue(issuing);
const stranger = makeAuthority({ name: 'issuing' });

describe('orderIssuers', () => {
  it('puts the issuers in order, whatever the order and company they come in', () => {
    const candidates = [root, middle, issuing, leaf, stranger, issuing, makeAuthority({ issuer: stranger })];
    fc.assert(
      fc.property(fc.shuffledSubarray(candidates, { minLength: candidates.length }), (shuffled) => {
        expect(order(leaf, shuffled)).toEqual(list(issuing, middle));
      }),
      { numRuns: 20 },
    );
  });

  it('stops where an issuer is missing', () => {
    expect(order(leaf, [])).toEqual([]);
    expect(order(leaf, [leaf])).toEqual([]);
    expect(order(leaf, [root, middle])).toEqual([]);
    expect(order(leaf, [root, issuing])).toEqual(list(issuing));
    expect(order(issue(root), [root])).toEqual([]);
  });

  it('believes signatures, not names', () => {
    const impostor = makeAuthority({ name: 'middle', issuer: root });
    expect(order(leaf, [stranger, impostor, issuing])).toEqual(list(issuing));
    expect(order(leaf, [stranger])).toEqual([]);
  });

  it('does not ask what the leaf may be used for', () => {
    const client = issue(issuing, { extendedKeyUsage: ['clientAuth'] });
    expect(order(client, [issuing])).toEqual(list(issuing));
  });

  it('takes RSA and EC authorities, and a leaf that signed itself', () => {
    const rsa = makeAuthority({ issuer: root, keyType: 'rsa-2048', hash: 'sha384' });
    expect(order(issue(rsa, { keyType: 'P-521' }), [root, rsa])).toEqual(list(rsa));
    expect(order(root, [root, middle])).toEqual([]);
  });

  it('of two certificates of one authority takes the valid one, else the first', () => {
    const keys = makeKeys();
    const renewed = makeAuthority({ name: 'sub', issuer: root, keys });
    const expired = makeAuthority({
      name: 'sub',
      issuer: root,
      keys,
      notAfter: days(-1),
      notBefore: days(-2),
    });
    const other = makeAuthority({ name: 'sub', issuer: middle, keys });
    const end = issue(renewed);
    expect(order(end, [expired, renewed])).toEqual(list(renewed));
    expect(order(end, [renewed, expired])).toEqual(list(renewed));
    expect(order(end, [renewed, other, middle])).toEqual(list(renewed));
    expect(order(end, [expired, middle, other, renewed])).toEqual(list(other, middle));
    expect(order(end, [expired])).toEqual(list(expired));
  });

  it('follows a cross-signed root to the other root, and leaves both roots out', () => {
    const newRoot = makeAuthority({ name: 'new root' });
    const crossSigned = makeAuthority({ name: 'new root', issuer: root, keys: newRoot.keys });
    const end = issue(newRoot);
    expect(order(end, [newRoot, crossSigned, root])).toEqual(list(crossSigned));
  });

  it('comes to an end where authorities signed each other', () => {
    const a = makeKeys();
    const b = makeKeys();
    const rootA = makeAuthority({ name: 'a', keys: a });
    const rootB = makeAuthority({ name: 'b', keys: b });
    const aByB = makeAuthority({ name: 'a', keys: a, issuer: rootB });
    const bByA = makeAuthority({ name: 'b', keys: b, issuer: rootA });
    expect(order(issue(rootA), [aByB, bByA])).toEqual(list(aByB, bByA));
    // A leaf that stands in the loop itself.
    expect(order(aByB, [aByB, bByA])).toEqual(list(bByA));
  });

  it('takes five, and refuses six with words', async () => {
    const path = [root];
    for (let count = 0; count < 6; count += 1)
      path.push(makeAuthority({ name: `ca ${count}`, issuer: path.at(-1) ?? root }));
    const at = (index: number): Issued => path[index] ?? root;
    expect(order(issue(at(5)), path)).toEqual(list(at(5), at(4), at(3), at(2), at(1)));
    const error = await expectCode(() => order(issue(at(6)), path), 'CHAIN_TOO_LONG');
    expect(error.message).toContain('5');
    // Strangers do not count.
    expect(order(issue(at(1)), path)).toEqual(list(at(1)));
  });

  it('passes over what OpenSSL cannot read', () => {
    const broken = { ...parse(issuing), der: Buffer.from('3000', 'hex') };
    expect(orderIssuers(parse(leaf), [broken, parse(issuing)], now)).toHaveLength(1);
    expect(orderIssuers(broken, [parse(middle)], now)).toEqual([]);
  });
});

describe('findLeaf', () => {
  const spki = ({ keys }: Issued): Buffer => keys.publicKey.export({ format: 'der', type: 'spki' });
  const find = (certificates: readonly Issued[], key: Issued): string[] => {
    const found = findLeaf(certificates.map(parse), spki(key), now);
    return found === undefined ? [] : [Buffer.from(found.der).toString('hex')];
  };

  it("leaves no error behind in OpenSSL, which would be the next key's", () => {
    const rsa = issue(root, { keyType: 'rsa-2048' });
    expect(find([rsa], leaf)).toEqual([]);
    expect(() => createPrivateKey(leaf.privateKeyPem)).not.toThrow();
  });

  it('goes by the key, wherever the leaf stands', () => {
    const certificates = [root, middle, leaf, issuing];
    fc.assert(
      fc.property(fc.shuffledSubarray(certificates, { minLength: 4 }), (shuffled) => {
        expect(find(shuffled, leaf)).toEqual(list(leaf));
      }),
      { numRuns: 10 },
    );
    expect(find([root, middle], leaf)).toEqual([]);
    expect(find([], leaf)).toEqual([]);
  });

  it('of a renewed certificate takes the one that is valid now, then the one that lasts', () => {
    const keys = makeKeys();
    const expired = issue(root, { keys, notBefore: days(-9), notAfter: days(-1) });
    const current = issue(root, { keys, notAfter: days(2) });
    const longer = issue(root, { keys, notAfter: days(30) });
    const future = issue(root, { keys, notBefore: days(10), notAfter: days(90) });
    expect(find([expired, current, longer, future], current)).toEqual(list(longer));
    expect(find([future, expired, current], current)).toEqual(list(current));
    expect(find([expired], current)).toEqual(list(expired));
  });

  it('knows the same key in another encoding', () => {
    const certificate = parse(leaf);
    const point = certificate.publicKey.subarray(certificate.publicKey.length - 65);
    expect(point[0]).toBe(4);
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(2 + ((point[64] ?? 0) & 1)),
      point.subarray(1, 33),
    ]);
    expect(findLeaf([parse(root), { ...certificate, publicKey: compressed }], spki(leaf), now)?.der).toBe(
      certificate.der,
    );
    expect(findLeaf([{ ...certificate, publicKey: Buffer.of(0x30, 0) }], spki(leaf), now)).toBeUndefined();
  });
});
