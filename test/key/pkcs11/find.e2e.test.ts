import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { listPkcs11Certificates } from '../../../src/key/pkcs11/open.ts';
import { orderIssuers } from '../../../src/certificate/chain.ts';
import { issue, makeAuthority } from '../../support/pki.ts';
import type { Issued } from '../../support/pki.ts';
import { buildHost, makeSoftHsm, softHsmModule } from '../../support/softhsm.ts';
import type { SoftHsm, SoftToken } from '../../support/softhsm.ts';
import { failure, open, pinProvider, signsFor, takeNotes } from './rig.ts';

const spki = ({ keys }: Issued): Uint8Array => keys.publicKey.export({ type: 'spki', format: 'der' });
const same = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && Buffer.compare(a, b) === 0;

let hsm: SoftHsm;
beforeAll(async () => {
  hsm = await makeSoftHsm();
  process.env['SOFTHSM2_CONF'] = hsm.env.SOFTHSM2_CONF;
});
afterAll(() => hsm[Symbol.asyncDispose]());

const root = makeAuthority({ name: 'Root' });
const intermediate = makeAuthority({ name: 'Intermediate', issuer: root });
const issuing = makeAuthority({ name: 'Issuing', issuer: intermediate });
const stranger = makeAuthority({ name: 'Stranger' });

describe('one token with three keys, its issuers and strangers', () => {
  const rsa = issue(issuing, { name: 'rsa', keyType: 'rsa-2048' });
  const p256 = issue(issuing, { name: 'p256', keyType: 'P-256' });
  const p521 = issue(issuing, {
    name: 'p521',
    keyType: 'P-521',
    notAfter: new Date(Date.now() + 2 * 86_400_000),
  });
  let token: SoftToken;
  let bundle: readonly Uint8Array[];

  beforeAll(async () => {
    token = await hsm.makeToken('three keys');
    await token.importPair(rsa, { id: '01', label: 'rsa' });
    await token.importPair(p256, { id: '02', label: 'p256' });
    await token.importPair(p521, { id: '03', label: 'p521' });
    await token.importCertificate(intermediate.certificateDer, { id: '10', label: 'intermediate' });
    await token.importCertificate(issuing.certificateDer, { id: '11', label: 'issuing' });
    await token.importCertificate(stranger.certificateDer, { id: '12', label: 'stranger' });
    await token.importCertificate(issue(stranger).certificateDer, { id: '13', label: 'stranger leaf' });
    await token.importJunk({ id: '14', label: 'junk' });
    bundle = [rsa, p256, p521].map(spki);
  });

  it.each(['rsa', 'p256', 'p521'])('the certificate %s finds its key', async (label) => {
    const { signer, certificates } = await open({ certificate: token.uri(`object=${label}`) });
    expect(same(certificates[0]?.publicKey, signer?.publicKey ?? new Uint8Array())).toBe(true);
    expect(await signsFor(signer, certificates[0]?.publicKey ?? new Uint8Array())).toBe(true);
  });

  it.each([
    ['01', rsa],
    ['02', p256],
    ['03', p521],
  ])('the key %s finds its certificate', async (id, { certificateDer }) => {
    const { signer, certificates } = await open({ privateKey: token.uri(`id=%${id}`) });
    expect(Buffer.from(certificates[0]?.der ?? []).equals(certificateDer)).toBe(true);
    expect(await signsFor(signer, certificates[0]?.publicKey ?? new Uint8Array())).toBe(true);
  });

  it('of several keys, that of the certificate from a file is taken', async () => {
    const { signer, certificates } = await open({ privateKey: token.uri(), publicKeys: [spki(p256)] });
    expect(await signsFor(signer, spki(p256))).toBe(true);
    expect(certificates).toEqual([]);
  });

  it('of several certificates, that of the key from a file is taken', async () => {
    const { signer, certificates } = await open({
      certificate: token.uri(),
      privateKey: false,
      publicKeys: [spki(p521)],
    });
    expect(signer).toBeUndefined();
    expect(Buffer.from(certificates[0]?.der ?? []).equals(p521.certificateDer)).toBe(true);
  });

  it('the key says which of several certificates is meant', async () => {
    const { certificates } = await open({ certificate: token.uri(), privateKey: token.uri('object=p256') });
    expect(Buffer.from(certificates[0]?.der ?? []).equals(p256.certificateDer)).toBe(true);
  });

  it('several keys without a choice are named', async () => {
    const { code, message } = await failure(open({ certificate: token.uri() }));
    expect(code).toBe('PKCS11_AMBIGUOUS');
    expect(message).toContain('object=rsa');
    expect(message).toContain('object=p521');
    expect((await failure(open({ privateKey: token.uri() }))).code).toBe('PKCS11_AMBIGUOUS');
  });

  it('the latest expiring certificate settles it, when asked to', async () => {
    for (const options of [{ certificate: token.uri() }, { privateKey: token.uri() }]) {
      const { certificates } = await open({ ...options, useLatestExpiringCertificate: true });
      expect(Buffer.from(certificates[0]?.der ?? []).equals(p521.certificateDer)).toBe(true);
    }
  });

  it('a selector chooses among the certificates', async () => {
    const serial = p256.serial;
    const { certificates } = await open({
      certificate: token.uri(),
      select: (one) => one.serialNumber === serial,
    });
    expect(Buffer.from(certificates[0]?.der ?? []).equals(p256.certificateDer)).toBe(true);
    const nothing = failure(open({ certificate: token.uri(), select: () => false }));
    expect((await nothing).code).toBe('PKCS11_NOT_FOUND');
  });

  it('CH#174: real issuers go into the chain, strangers do not, and the leaf not twice', async () => {
    const { certificates } = await open({ certificate: token.uri('object=rsa') });
    const [leaf, ...candidates] = certificates;
    if (leaf === undefined) throw new Error('no leaf');
    const chain = orderIssuers(leaf, candidates, new Date());
    expect(chain.map(({ der }) => Buffer.from(der))).toEqual([
      Buffer.from(issuing.certificateDer),
      Buffer.from(intermediate.certificateDer),
    ]);
    expect(candidates.some(({ publicKey }) => same(leaf.publicKey, publicKey))).toBe(false);
  });

  it('one unparseable certificate hides nothing, and is named for --debug', async () => {
    const notes = takeNotes();
    await open({ certificate: token.uri('object=rsa'), reporter: notes });
    expect(notes.lines.filter((line) => line.includes('object=junk'))).toHaveLength(1);
  });

  it('a key that belongs to another certificate is a mismatch', async () => {
    const wrong = { certificate: token.uri('object=rsa'), privateKey: token.uri('object=p256') };
    expect((await failure(open(wrong))).code).toBe('KEY_CERTIFICATE_MISMATCH');
    const file = { privateKey: token.uri('object=p256'), publicKeys: [spki(rsa)] };
    expect((await failure(open(file))).code).toBe('KEY_CERTIFICATE_MISMATCH');
    const other = { certificate: token.uri(), privateKey: false as const, publicKeys: [spki(issue(root))] };
    expect((await failure(open(other))).code).toBe('KEY_CERTIFICATE_MISMATCH');
  });

  it('nothing found names what was looked for', async () => {
    const certificate = await failure(open({ certificate: token.uri('object=nobody') }));
    expect(certificate.code).toBe('PKCS11_NOT_FOUND');
    expect(certificate.message).toContain('object=nobody');
    const key = await failure(open({ privateKey: token.uri('object=nobody') }));
    expect(key.code).toBe('PKCS11_NOT_FOUND');
    expect(key.message).toContain('object=nobody');
  });

  it('a certificate without a key says so', async () => {
    const { code, message } = await failure(open({ certificate: token.uri('object=stranger%20leaf') }));
    expect(code).toBe('PKCS11_NOT_FOUND');
    expect(message).toContain('private key');
  });

  it('lists the certificates in a stable order, each with a URI that finds it alone', async () => {
    const options = { library: softHsmModule, host: await buildHost() };
    const list = await listPkcs11Certificates({ ...options, certificate: token.uri() });
    expect(list).toHaveLength(7);
    expect(list.map(({ uri }) => uri)).toEqual(list.map(({ uri }) => uri).sort());
    for (const { certificate, uri } of list) {
      expect(uri).toContain('token=three%20keys');
      const again = await listPkcs11Certificates({ ...options, certificate: uri });
      expect(again.map(({ certificate: { der } }) => Buffer.from(der))).toEqual([
        Buffer.from(certificate.der),
      ]);
    }
  });

  it('reading certificates needs no PIN', async () => {
    const { certificates } = await open({
      certificate: token.uri('object=rsa'),
      privateKey: false,
      publicKeys: bundle,
      pin: () => Promise.reject(new Error('asked')),
    });
    expect(certificates).not.toHaveLength(0);
  });
});

describe('three tokens with the same label', () => {
  const leaves = [0, 1, 2].map((index) => issue(root, { name: `leaf ${index}` }));
  const tokens: SoftToken[] = [];

  beforeAll(async () => {
    for (const leaf of leaves) {
      const token = await hsm.makeToken('twin');
      await token.importPair(leaf, { id: '01', label: 'leaf' });
      tokens.push(token);
    }
  });

  it('all of them are looked at: the certificate from a file finds the one with its key', async () => {
    for (const leaf of leaves) {
      const { signer } = await open({
        privateKey: 'pkcs11:token=twin;object=leaf',
        publicKeys: [spki(leaf)],
      });
      expect(await signsFor(signer, spki(leaf))).toBe(true);
    }
  });

  it('serial and slot-id tell them apart', async () => {
    for (const [index, token] of tokens.entries()) {
      for (const uri of [`pkcs11:serial=${token.serial}`, `pkcs11:slot-id=${token.slotId};object=leaf`]) {
        const { signer } = await open({ certificate: uri });
        expect(same(signer?.publicKey, spki(leaves[index] as Issued))).toBe(true);
      }
    }
  });

  it('none of them is tried when nothing tells them apart: the error names them', async () => {
    let asked = 0;
    const pin = () => {
      asked += 1;
      return pinProvider('1234')();
    };
    const uri = 'pkcs11:token=twin';
    for (const options of [{ privateKey: uri }, { certificate: uri }]) {
      const { code, message } = await failure(open({ ...options, pin }));
      expect(code).toBe('PKCS11_AMBIGUOUS');
      expect(message).toContain(uri);
      for (const { serial } of tokens) expect(message).toContain(serial);
    }
    expect(asked).toBe(0);
  });

  it('a slot without the object is no obstacle', async () => {
    await (
      await hsm.makeToken('twin with one more')
    ).importPair(leaves[0] as Issued, { id: '02', label: 'only' });
    const { signer } = await open({ certificate: 'pkcs11:object=only' });
    expect(await signsFor(signer, spki(leaves[0] as Issued))).toBe(true);
  });
});

describe('slot-id', () => {
  it('slot-id=0 is a slot like any other, not "any slot"', async () => {
    const token = await hsm.makeToken('zero');
    await token.importPair(issue(root), { id: '01', label: 'zero' });
    expect(
      (await open({ certificate: `pkcs11:slot-id=${token.slotId};object=zero` })).certificates,
    ).toHaveLength(1);
    const { code, message } = await failure(open({ certificate: 'pkcs11:slot-id=0;object=zero' }));
    expect(code).toBe('PKCS11_NOT_FOUND');
    expect(message).toContain('slot-id=0');
  });
});

describe('tokens that tell little', () => {
  it("an EC key without a public object is taken on its certificate's word, and proven by its signature", async () => {
    const token = await hsm.makeToken('terse');
    const [right, wrong] = [issue(root), issue(root)];
    await token.importKey(right.privateKeyPem, { id: '01', label: 'terse' }, { publicKey: false });
    const { signer } = await open({ privateKey: token.uri(), publicKeys: [spki(right)] });
    expect(await signsFor(signer, spki(right))).toBe(true);
    const { signer: mistaken } = await open({ privateKey: token.uri(), publicKeys: [spki(wrong)] });
    expect((await failure(signsFor(mistaken, spki(wrong)))).code).toBe('KEY_CERTIFICATE_MISMATCH');
    expect((await failure(open({ privateKey: token.uri() }))).code).toBe('KEY_UNSUPPORTED');
  });

  it('a certificate and its key that share no id and no label still find each other', async () => {
    const token = await hsm.makeToken('apart');
    const leaf = issue(root, { keyType: 'rsa-2048' });
    await token.importKey(leaf.privateKeyPem, { id: '01', label: 'key' });
    await token.importCertificate(leaf.certificateDer, { id: '99', label: 'certificate' });
    expect(await signsFor((await open({ certificate: token.uri() })).signer, spki(leaf))).toBe(true);
    expect((await open({ privateKey: token.uri() })).certificates).toHaveLength(1);
  });

  it('of a certificate and its renewal for the same key, the one that lasts longer', async () => {
    const token = await hsm.makeToken('renewed');
    const old = issue(root, { notAfter: new Date(Date.now() + 3_600_000) });
    const renewed = issue(root, { keys: old.keys });
    await token.importPair(old, { id: '01', label: 'old' });
    await token.importCertificate(renewed.certificateDer, { id: '01', label: 'renewed' });
    for (const options of [{ certificate: token.uri() }, { privateKey: token.uri() }]) {
      const { certificates } = await open(options);
      expect(certificates.map(({ der }) => Buffer.from(der))).toEqual([renewed.certificateDer]);
    }
  });
});
