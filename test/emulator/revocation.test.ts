import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Issued, ListWish } from './support/pki.ts';
import {
  basicConstraints,
  ecKey,
  extension,
  issue,
  issueAuthority,
  keyUsage,
  noon,
  octets,
  pem,
  revocationList,
  rsaKey,
} from './support/pki.ts';
import { TestService } from './support/service.ts';

const extensions = [basicConstraints(true), keyUsage('keyCertSign', 'cRLSign')];
const root = issueAuthority('Root', { extensions });
const rsaRoot = issueAuthority('RSA root', { extensions, keys: rsaKey() });
/** Another one of the same name. */
const namesake = issueAuthority('Root', { extensions });
const intermediate = issueAuthority('Intermediate', { by: root, extensions });
const hour = 3_600_000;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revocation-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

let count = 0;
const file = async (content: string | Buffer): Promise<string> => {
  const path = join(directory, `${++count}.crl`);
  await writeFile(path, content);
  return path;
};

async function start(anchors: readonly Issued[], ...lists: readonly Buffer[]): Promise<TestService> {
  return TestService.start(anchors, { crls: await Promise.all(lists.map((list) => file(list))) });
}

async function outcome(
  lists: readonly Buffer[],
  leaf: Issued,
  chain: readonly Issued[] = [],
): Promise<object> {
  await using service = await start([root, rsaRoot], ...lists);
  const { status, body, why } = await service.createSession({ leaf, chain });
  return status === 201
    ? { status }
    : { status, message: (JSON.parse(body) as { message: string }).message, why };
}
const granted = { status: 201 };
const refused = (message: string, why: string): object => ({
  status: 403,
  message,
  why: expect.stringContaining(why) as string,
});
const revoked = (who: string): object => ({
  ...refused('Certificate revoked', who),
  why: expect.stringMatching(new RegExp(`^${who} .* was revoked at ${noon.toISOString()}$`)) as string,
});

describe('a certificate on a list is refused', () => {
  test.each<[string, Issued, ListWish]>([
    ['ECDSA', root, {}],
    ['ECDSA with SHA-512', root, { hash: 'sha512' }],
    ['RSA', rsaRoot, {}],
  ])('%s', async (_, by, wish) => {
    const leaf = issue({ by });
    expect(await outcome([revocationList(by, { revoked: [issue(), leaf], ...wish })], leaf)).toEqual(
      revoked('the leaf'),
    );
  });

  test('an intermediate', async () => {
    const leaf = issue({ by: intermediate });
    const list = revocationList(root, { revoked: [intermediate] });
    expect(await outcome([list], leaf, [intermediate])).toEqual(revoked('certificate 1 above the leaf'));
  });

  test("a leaf below an intermediate, by the intermediate's list", async () => {
    const leaf = issue({ by: intermediate });
    const list = revocationList(intermediate, { revoked: [leaf] });
    expect(await outcome([list], leaf, [intermediate])).toEqual(revoked('the leaf'));
  });

  test('by any of several lists, also one that is out of date', async () => {
    const leaf = issue({ by: root });
    const old = revocationList(root, { revoked: [leaf], nextUpdate: new Date(noon.getTime() - hour) });
    expect(await outcome([revocationList(root), old], leaf)).toEqual(revoked('the leaf'));
  });

  test('whose serial number has a leading zero in DER, or one byte', async () => {
    for (const serial of [0x80n, 1n, 0xffn]) {
      const leaf = issue({ by: root, serial });
      expect(await outcome([revocationList(root, { revoked: [leaf] })], leaf)).toEqual(revoked('the leaf'));
    }
  });
});

describe('a certificate that no list names is taken', () => {
  test.each<[string, (leaf: Issued) => Buffer]>([
    ['an empty list', () => revocationList(root)],
    ['a list of others', () => revocationList(root, { revoked: [issue(), issue()] })],
    ['a list without a next update', () => revocationList(root, { nextUpdate: null })],
    [
      "another authority's list, though it names its serial",
      (leaf) => revocationList(rsaRoot, { revoked: [leaf] }),
    ],
    [
      "a list in an intermediate's name that it did not sign",
      (leaf) => revocationList(intermediate, { revoked: [leaf], signedWith: ecKey() }),
    ],
  ])('%s', async (_, list) => {
    const direct = issue({ by: root });
    expect(await outcome([list(direct)], direct)).toEqual(granted);
    const leaf = issue({ by: intermediate });
    expect(await outcome([list(leaf)], leaf, [intermediate])).toEqual(granted);
  });

  test('an intermediate that may not sign lists has no say', async () => {
    const mute = issueAuthority('Mute', { by: root });
    const leaf = issue({ by: mute });
    expect(await outcome([revocationList(mute, { revoked: [leaf] })], leaf, [mute])).toEqual(granted);
  });
});

describe('a list that is not current clears nobody', () => {
  const past = new Date(noon.getTime() - hour);
  const future = new Date(noon.getTime() + hour);
  test.each<[string, ListWish]>([
    ['past its next update', { nextUpdate: past }],
    ['from the future', { thisUpdate: future }],
  ])('%s', async (_, wish) => {
    const leaf = issue({ by: root });
    expect(await outcome([revocationList(root, wish)], leaf)).toEqual(
      refused('Untrusted signing certificate', 'the leaf (CN=leaf.example) may be revoked'),
    );
    expect(await outcome([revocationList(root, wish), revocationList(root)], leaf)).toEqual(granted);
  });

  test('at its last moment it still is', async () => {
    const list = revocationList(root, { thisUpdate: noon, nextUpdate: noon });
    expect(await outcome([list], issue({ by: root }))).toEqual(granted);
  });
});

describe('at the start', () => {
  const refusal = (crls: readonly string[], trustAnchors: readonly string[] = []): Promise<unknown> =>
    TestService.start([root], trustAnchors.length === 0 ? { crls } : { crls, trustAnchors }).then(
      async (service) => {
        await service[Symbol.asyncDispose]();
        return 'started';
      },
      (error: unknown) => error,
    );
  const listPem = (list: Buffer): string => pem({ der: list }, 'X509 CRL');

  test('PEM is read, several lists in a file, with text around and Windows line ends', async () => {
    const leaf = issue({ by: root });
    const text = `# ours\n${listPem(revocationList(rsaRoot))}text\n${listPem(revocationList(root, { revoked: [leaf] }))}`;
    await using service = await TestService.start([root, rsaRoot], {
      crls: [await file(text.replaceAll('\n', '\r\n'))],
    });
    expect((await service.createSession({ leaf })).body).toContain('Certificate revoked');
  });

  test.each<[string, () => string | Buffer, string]>([
    ['is empty', () => '', 'CERTIFICATE_INVALID'],
    ['is a certificate', () => pem(root), 'CERTIFICATE_INVALID'],
    ['is a certificate in DER', () => root.der, 'CERTIFICATE_INVALID'],
    ['is cut off', () => revocationList(root).subarray(0, -9), 'CERTIFICATE_INVALID'],
    ['holds no DER', () => listPem(Buffer.from('AAAA')), 'CERTIFICATE_INVALID'],
    ["is another's of the anchor's name", () => revocationList(namesake), 'CERTIFICATE_INVALID'],
    ['is forged', () => revocationList(root, { signedWith: ecKey() }), 'CERTIFICATE_INVALID'],
    [
      'is forged with another type of key',
      () => revocationList(root, { signedWith: rsaKey() }),
      'CERTIFICATE_INVALID',
    ],
    ['is signed with SHA-1', () => revocationList(root, { hash: 'sha1' }), 'CERTIFICATE_INVALID'],
    [
      'is a delta list',
      () => revocationList(root, { extensions: [extension('2.5.29.27', Buffer.of(2, 1, 1), true)] }),
      'CERTIFICATE_INVALID',
    ],
    [
      'has an entry with an unknown critical extension',
      () =>
        revocationList(root, { revoked: [issue()], entryExtensions: [extension('1.2.3', octets(), true)] }),
      'CERTIFICATE_INVALID',
    ],
  ])('a list is refused that %s', async (_, content, code) => {
    expect(await refusal([await file(content())])).toMatchObject({ name: 'RolesAnywhereError', code });
  });

  test('a list is refused whose anchor may not sign lists', async () => {
    const mute = issueAuthority('Mute');
    const error = await refusal([await file(revocationList(mute))], [await file(pem(mute))]);
    expect(error).toMatchObject({
      code: 'CERTIFICATE_INVALID',
      hint: expect.stringContaining('cRLSign') as string,
    });
  });

  test('a file that is not there, and an empty name', async () => {
    expect(await refusal(['/nonexistent/x.crl'])).toMatchObject({ code: 'FILE_UNREADABLE' });
    expect(await refusal([''])).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
