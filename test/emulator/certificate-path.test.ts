import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Issued, Wish } from './support/pki.ts';
import {
  basicConstraints,
  ecKey,
  extension,
  issue,
  issueAuthority,
  keyUsage,
  noon,
  octets,
  rsaKey,
} from './support/pki.ts';
import { TestService } from './support/service.ts';

const hour = 3_600_000;
const root = issueAuthority('Root');
const rsaRoot = issueAuthority('RSA root', { keys: rsaKey() });
/** Its successor: the same name and key, for when the old one has expired. */
const oldRoot = issueAuthority('Renewed root', { notAfter: new Date(noon.getTime() - hour) });
const newRoot = issueAuthority('Renewed root', { keys: oldRoot.keys });
const shortRoot = issueAuthority('Short root', {}, 1);
const expiredRoot = issueAuthority('Expired root', { notAfter: new Date(noon.getTime() - hour) });

let service: TestService;
beforeAll(async () => {
  service = await TestService.start([root, rsaRoot, oldRoot, newRoot, shortRoot, expiredRoot]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** `count` intermediates below an authority, the lowest first, as they go into the chain. */
function intermediates(count: number, by: Issued, wish: Wish = {}): readonly Issued[] {
  return Array.from({ length: count }, (_, index) => index).reduce<readonly Issued[]>(
    (chain, index) => [issueAuthority(`Intermediate ${index}`, { by: chain[0] ?? by, ...wish }), ...chain],
    [],
  );
}

async function outcome(
  leaf: Issued,
  chain: readonly Issued[] = [],
): Promise<{ status: number; body: string; why: string }> {
  const { status, body, why } = await service.createSession({ leaf, chain });
  return { status, body, why };
}
const untrusted = (why: string): object => ({
  status: 403,
  body: '{"message":"Untrusted signing certificate"}',
  why: expect.stringContaining(why) as string,
});
const insufficient = (why: string): object => ({
  status: 403,
  body: '{"message":"Insufficient certificate"}',
  why: expect.stringContaining(why) as string,
});
const trusted = { status: 201, body: expect.any(String) as string, why: '' };

/** A leaf under one intermediate that is as wished. */
function below(wish: Wish): [leaf: Issued, chain: readonly Issued[]] {
  const intermediate = issueAuthority('Intermediate', { by: root, ...wish });
  return [issue({ by: intermediate }), [intermediate]];
}

describe('a path is trusted', () => {
  test('straight below the anchor', async () => {
    expect(await outcome(issue({ by: root }))).toEqual(trusted);
  });

  test('with the anchor itself in the chain', async () => {
    expect(await outcome(issue({ by: root }), [root])).toEqual(trusted);
  });

  test('through five intermediates', async () => {
    const chain = intermediates(5, root);
    expect(await outcome(issue({ by: chain[0] ?? root }), chain)).toEqual(trusted);
  });

  test('through RSA signatures', async () => {
    const chain = intermediates(1, rsaRoot, { hash: 'sha384' });
    expect(await outcome(issue({ by: chain[0] ?? root, hash: 'sha512' }), chain)).toEqual(trusted);
  });

  test('when one of two anchors with the same name and key is in its time', async () => {
    expect(await outcome(issue({ by: newRoot }))).toEqual(trusted);
  });

  test('to the last second of its validity, and from the first', async () => {
    expect(await outcome(issue({ by: root, notAfter: noon }))).toEqual(trusted);
    expect(await outcome(issue({ by: root, notBefore: noon }))).toEqual(trusted);
  });

  test('with as many intermediates as pathLenConstraint allows', async () => {
    const chain = intermediates(1, shortRoot);
    expect(await outcome(issue({ by: chain[0] ?? root }), chain)).toEqual(trusted);
  });

  test('where a self-issued certificate does not count for pathLenConstraint', async () => {
    // A key rollover (RFC 5280, section 6.1.4 (l)): the same name issues its own new key.
    const rollover = issueAuthority('Short root', { by: shortRoot });
    const intermediate = issueAuthority('Intermediate', { by: rollover });
    expect(await outcome(issue({ by: intermediate }), [intermediate, rollover])).toEqual(trusted);
  });

  test('with a critical extension that is known, and with an unknown one that is not critical', async () => {
    const extensions = [
      basicConstraints(true),
      keyUsage('keyCertSign'),
      extension('2.5.29.37', Buffer.from('300a06082b06010505070302', 'hex'), true),
      extension('1.3.6.1.4.1.99999.1', octets()),
    ];
    expect(await outcome(...below({ extensions }))).toEqual(trusted);
  });
});

describe('a path is not trusted', () => {
  test('when nobody known issued the leaf', async () => {
    expect(await outcome(issue())).toEqual(untrusted('not issued by a trust anchor'));
  });

  test('when only the name of the issuer fits', async () => {
    const impostor = issueAuthority('Root');
    expect(await outcome(issue({ by: impostor }))).toEqual(untrusted('not issued by a trust anchor'));
    expect(await outcome(issue({ by: impostor }), [root])).toEqual(untrusted('did not issue'));
  });

  test('when only the key of the issuer fits', async () => {
    const renamed = { ...root, subject: [['CN', 'Root by another name']] as const };
    expect(await outcome(issue({ by: renamed }))).toEqual(untrusted('not issued by a trust anchor'));
  });

  test('when the anchor is not known', async () => {
    const stranger = issueAuthority('Stranger');
    expect(await outcome(issue({ by: stranger }), [stranger])).toEqual(
      untrusted('not issued by a trust anchor'),
    );
  });

  test('when the intermediate is missing', async () => {
    const [leaf] = below({});
    expect(await outcome(leaf)).toEqual(untrusted('not issued by a trust anchor'));
  });

  test('when a stranger stands in the chain', async () => {
    const stranger = issueAuthority('Stranger');
    const leaf = issue({ by: root });
    expect(await outcome(leaf, [stranger])).toEqual(untrusted('Stranger'));
    expect(await outcome(leaf, [root, stranger])).toEqual(untrusted('Stranger'));
  });

  test('when the leaf stands in the chain', async () => {
    const leaf = issue({ by: root });
    expect(await outcome(leaf, [leaf])).toEqual(untrusted('did not issue'));
  });

  test('when the chain is out of order', async () => {
    const chain = intermediates(2, root);
    expect(await outcome(issue({ by: chain[0] ?? root }), chain.toReversed())).toEqual(
      untrusted('did not issue'),
    );
  });

  test('when the chain has six certificates', async () => {
    const chain = intermediates(6, root);
    expect(await outcome(issue({ by: chain[0] ?? root }), chain)).toEqual(insufficient('6 certificates'));
  });

  test('when a leaf issued the leaf', async () => {
    const issuer = issue({ by: root, subject: [['CN', 'No authority']] });
    expect(await outcome(issue({ by: issuer }), [issuer])).toEqual(untrusted('not a CA'));
  });

  test.each<[string, Wish, string]>([
    ['has expired', { notAfter: new Date(noon.getTime() - 1000) }, 'expired'],
    ['is not valid yet', { notBefore: new Date(noon.getTime() + 1000) }, 'not valid before'],
    ['says CA:false', { extensions: [basicConstraints(false), keyUsage('keyCertSign')] }, 'not a CA'],
    ['says nothing of CA', { extensions: [keyUsage('keyCertSign')] }, 'not a CA'],
    [
      'may not sign certificates',
      { extensions: [basicConstraints(true), keyUsage('digitalSignature')] },
      'keyCertSign',
    ],
    ['does not say what it may sign', { extensions: [basicConstraints(true)] }, 'keyCertSign'],
    ['is of version 1', { version: 1 }, 'version 1'],
    ['is signed with SHA-1', { hash: 'sha1' }, 'SHA-1'],
    ['is signed with MD5', { by: rsaRoot, hash: 'md5' }, 'not with SHA-256'],
    [
      'has an unknown critical extension',
      {
        extensions: [
          basicConstraints(true),
          keyUsage('keyCertSign'),
          extension('1.3.6.1.4.1.99999.1', octets(), true),
        ],
      },
      '1.3.6.1.4.1.99999.1',
    ],
    [
      'has an extension twice',
      { extensions: [basicConstraints(true), keyUsage('keyCertSign'), keyUsage('keyCertSign')] },
      'twice',
    ],
  ])('when an intermediate %s', async (_, wish, why) => {
    expect(await outcome(...below(wish))).toEqual(untrusted(why));
  });

  test('when an intermediate allows none below itself', async () => {
    const upper = issueAuthority('Upper', { by: root }, 0);
    const lower = issueAuthority('Lower', { by: upper });
    expect(await outcome(issue({ by: lower }), [lower, upper])).toEqual(untrusted('allows 0'));
    expect(await outcome(issue({ by: upper }), [upper])).toEqual(trusted);
  });

  test('when the anchor allows fewer intermediates', async () => {
    const chain = intermediates(2, shortRoot);
    expect(await outcome(issue({ by: chain[0] ?? root }), chain)).toEqual(untrusted('allows 1'));
  });

  test('when the anchor has expired', async () => {
    expect(await outcome(issue({ by: expiredRoot }))).toEqual(untrusted('expired'));
  });

  test('when the leaf has expired or is not valid yet', async () => {
    expect(await outcome(issue({ by: root, notAfter: new Date(noon.getTime() - 1000) }))).toEqual(
      untrusted('expired'),
    );
    expect(await outcome(issue({ by: root, notBefore: new Date(noon.getTime() + 1000) }))).toEqual(
      untrusted('not valid before'),
    );
  });

  test('when the leaf has an unknown critical extension', async () => {
    const extensions = [
      basicConstraints(false),
      keyUsage('digitalSignature'),
      extension('1.2.3', octets(), true),
    ];
    expect(await outcome(issue({ by: root, extensions }))).toEqual(untrusted('1.2.3'));
  });
});

describe('a leaf is not sufficient', () => {
  test.each<[string, Wish, string]>([
    ['is a CA', { extensions: [basicConstraints(true), keyUsage('digitalSignature')] }, 'CA certificate'],
    ['has no basicConstraints', { extensions: [keyUsage('digitalSignature')] }, 'basicConstraints'],
    [
      'has no digitalSignature',
      { extensions: [basicConstraints(false), keyUsage('keyEncipherment')] },
      'digitalSignature',
    ],
    ['has no keyUsage', { extensions: [basicConstraints(false)] }, 'digitalSignature'],
    ['is of version 1', { version: 1 }, 'version 1'],
    ['has an empty subject', { subject: [] }, 'empty subject'],
    ['is signed with SHA-1', { hash: 'sha1' }, 'SHA-1'],
    ['is signed with MD5', { by: rsaRoot, hash: 'md5' }, 'not with SHA-256'],
  ])('when it %s', async (_, wish, why) => {
    expect(await outcome(issue({ by: root, keys: ecKey(), ...wish }))).toEqual(insufficient(why));
  });
});
