import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GeneralName, Issued, Subject, Wish } from './support/pki.ts';
import {
  alternativeNames,
  basicConstraints,
  extension,
  issue,
  issueAuthority,
  keyUsage,
  nameConstraints,
} from './support/pki.ts';
import { TestService } from './support/service.ts';

const root = issueAuthority('Root');
let service: TestService;
beforeAll(async () => {
  service = await TestService.start([root]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** A CA below the root that limits names. */
function limited(
  permitted: readonly GeneralName[],
  excluded: readonly GeneralName[] = [],
  wish: Wish = {},
): Issued {
  const extensions = [basicConstraints(true), keyUsage('keyCertSign'), nameConstraints(permitted, excluded)];
  return issueAuthority('Limited', { by: root, extensions, ...wish });
}

function leafWith(by: Issued, names: readonly GeneralName[], subject: Subject = [['CN', 'leaf']]): Issued {
  const extensions = [basicConstraints(false), keyUsage('digitalSignature')];
  return issue({
    by,
    subject,
    extensions: names.length === 0 ? extensions : [...extensions, alternativeNames(...names)],
  });
}

async function isTrusted(leaf: Issued, ...chain: readonly Issued[]): Promise<boolean> {
  const { status, why } = await service.createSession({ leaf, chain });
  expect([status, why]).toEqual(
    status === 201 ? [201, ''] : [403, expect.stringContaining('name constraints')],
  );
  return status === 201;
}

const v6 = (first: number, last: number): number[] => [first, ...Array.from({ length: 14 }, () => 0), last];

describe('a name is within', () => {
  test.each<[GeneralName, GeneralName, boolean]>([
    [['dns', 'a.example'], ['dns', 'a.example'], true],
    [['dns', 'A.Example'], ['dns', 'a.example'], true],
    [['dns', 'b.a.example'], ['dns', 'a.example'], true],
    [['dns', 'ba.example'], ['dns', 'a.example'], false],
    [['dns', 'example'], ['dns', 'a.example'], false],
    [['dns', 'a.example'], ['dns', ''], true],
    [['dns', 'b.a.example'], ['dns', '.a.example'], true],
    [['email', 'me@a.example'], ['email', 'a.example'], true],
    [['email', 'me@b.a.example'], ['email', 'a.example'], false],
    [['email', 'me@b.a.example'], ['email', '.a.example'], true],
    [['email', 'me@a.example'], ['email', '.a.example'], false],
    [['email', 'me@A.example'], ['email', 'me@a.example'], true],
    [['email', 'Me@a.example'], ['email', 'me@a.example'], false],
    [['email', 'me@b.example'], ['email', 'me@a.example'], false],
    [['uri', 'spiffe://a.example/x'], ['uri', 'a.example'], true],
    [['uri', 'https://user@a.example:8443/x'], ['uri', 'a.example'], true],
    [['uri', 'https://b.a.example'], ['uri', 'a.example'], false],
    [['uri', 'https://b.a.example?x'], ['uri', '.a.example'], true],
    [['ip', [10, 1, 2, 3]], ['ip', [10, 0, 0, 0, 255, 0, 0, 0]], true],
    [['ip', [11, 1, 2, 3]], ['ip', [10, 0, 0, 0, 255, 0, 0, 0]], false],
    [['ip', v6(0xfd, 1)], ['ip', [...v6(0xfd, 0), ...v6(0xff, 0)]], true],
    [['ip', v6(0xfe, 1)], ['ip', [...v6(0xfd, 0), ...v6(0xff, 0)]], false],
    [['ip', v6(10, 1)], ['ip', [10, 0, 0, 0, 255, 0, 0, 0]], false],
  ])('%j within %j: %s', async (name, base, expected) => {
    const permitting = limited([base]);
    const excluding = limited([], [base]);
    expect(await isTrusted(leafWith(permitting, [name]), permitting)).toBe(expected);
    expect(await isTrusted(leafWith(excluding, [name]), excluding)).toBe(!expected);
  });

  const [o, ou, cn]: [Subject[number], Subject[number], Subject[number]] = [
    ['O', 'Example'],
    ['OU', 'deep'],
    ['CN', 'x'],
  ];
  test.each<[Subject, Subject, boolean]>([
    [[o, cn], [o], true],
    [[o, cn], [['O', 'example']], true],
    [[o, cn], [o, cn], true],
    [[cn, o], [o], false],
    [[o], [o, ou], false],
    [[o, ou, cn], [o, cn], false],
    [[['OU', 'Example'], cn], [o], false],
  ])('the subject %j within %j: %s', async (subject, base, expected) => {
    const permitting = limited([['name', base]]);
    const excluding = limited([], [['name', base]]);
    expect(await isTrusted(leafWith(permitting, [], subject), permitting)).toBe(expected);
    expect(await isTrusted(leafWith(excluding, [], subject), excluding)).toBe(!expected);
    expect(await isTrusted(leafWith(excluding, [['name', subject]]), excluding)).toBe(!expected);
  });
});

describe('name constraints', () => {
  test('leave other forms of name alone', async () => {
    const authority = limited([['dns', 'a.example']], [['ip', [10, 0, 0, 0, 255, 0, 0, 0]]]);
    expect(await isTrusted(leafWith(authority, []), authority)).toBe(true);
    expect(await isTrusted(leafWith(authority, [['uri', 'https://b.example']]), authority)).toBe(true);
  });

  test('hold for every name', async () => {
    const authority = limited([
      ['dns', 'a.example'],
      ['dns', 'b.example'],
    ]);
    const names = (...hosts: readonly string[]): readonly GeneralName[] => hosts.map((host) => ['dns', host]);
    expect(await isTrusted(leafWith(authority, names('x.a.example', 'b.example')), authority)).toBe(true);
    expect(await isTrusted(leafWith(authority, names('x.a.example', 'c.example')), authority)).toBe(false);
  });

  test('hold for the subject and for the e-mail address in it', async () => {
    const authority = limited([
      ['name', [['O', 'Example']]],
      ['email', 'a.example'],
    ]);
    const trusted = (subject: Subject): Promise<boolean> =>
      isTrusted(leafWith(authority, [], subject), authority);
    expect(
      await trusted([
        ['O', 'Example'],
        ['CN', 'x'],
      ]),
    ).toBe(true);
    expect(
      await trusted([
        ['O', 'Other'],
        ['CN', 'x'],
      ]),
    ).toBe(false);
    expect(
      await trusted([
        ['O', 'Example'],
        ['E', 'me@a.example'],
      ]),
    ).toBe(true);
    expect(
      await trusted([
        ['O', 'Example'],
        ['E', 'me@b.example'],
      ]),
    ).toBe(false);
  });

  test('exclude what they permit', async () => {
    const authority = limited([['dns', 'example']], [['dns', 'secret.example']]);
    expect(await isTrusted(leafWith(authority, [['dns', 'a.example']]), authority)).toBe(true);
    expect(await isTrusted(leafWith(authority, [['dns', 'a.secret.example']]), authority)).toBe(false);
  });

  test('of every authority above hold, for the intermediates too', async () => {
    const upper = limited([
      ['dns', 'example'],
      ['name', [['O', 'Example']]],
    ]);
    const inside = issueAuthority('Inside', {
      by: upper,
      subject: [
        ['O', 'Example'],
        ['CN', 'Inside'],
      ],
    });
    const outside = issueAuthority('Outside', { by: upper });
    const subject: Subject = [
      ['O', 'Example'],
      ['CN', 'leaf'],
    ];
    expect(await isTrusted(leafWith(inside, [['dns', 'a.example']], subject), inside, upper)).toBe(true);
    expect(await isTrusted(leafWith(inside, [['dns', 'a.test']], subject), inside, upper)).toBe(false);
    expect(await isTrusted(leafWith(outside, [], subject), outside, upper)).toBe(false);
  });

  test('exempt a self-issued authority', async () => {
    const upper = limited([['name', [['O', 'Example']]]]);
    const rollover = issueAuthority('Limited', { by: upper });
    expect(await isTrusted(leafWith(rollover, [], [['O', 'Example']]), rollover, upper)).toBe(true);
  });

  test('of the anchor hold', async () => {
    const anchor = issueAuthority('Limited root', {
      extensions: [basicConstraints(true), keyUsage('keyCertSign'), nameConstraints([['dns', 'a.example']])],
    });
    await using other = await TestService.start([anchor]);
    const statuses = ['a.example', 'b.example'].map(async (host) => {
      const { status } = await other.createSession({ leaf: leafWith(anchor, [['dns', host]]) });
      return status;
    });
    expect(await Promise.all(statuses)).toEqual([201, 403]);
  });

  test('that cannot be judged refuse', async () => {
    const id: GeneralName = ['id', '\x2a\x03'];
    const opaque: GeneralName = ['uri', 'urn:example:a'];
    for (const [name, base] of [
      [id, id],
      [opaque, ['uri', 'a.example']],
      [
        ['uri', 'https://10.0.0.1/'],
        ['uri', '.1'],
      ],
    ] as const) {
      const permitting = limited([base]);
      const excluding = limited([], [base]);
      expect(await isTrusted(leafWith(permitting, [name]), permitting)).toBe(false);
      expect(await isTrusted(leafWith(excluding, [name]), excluding)).toBe(false);
    }
  });

  const long = 'a0 7e 30 7c 82 7a'.replaceAll(' ', '') + '61'.repeat(122);
  test.each([
    ['an empty subtree', '3004a0023000', 'minimum'],
    ['a minimum', '300aa0083006820161800101', 'minimum'],
    ['no end', `3080${long}`, 'cut off'],
    ['less than their length', '3009a0053003820161', 'cut off'],
    ['a tag alone', '30', 'range'],
    ['nothing', '', 'not one'],
    ['two elements', '30003000', 'not one'],
  ])('with %s are refused', async (_, hex, why) => {
    const extensions = [
      basicConstraints(true),
      keyUsage('keyCertSign'),
      extension('2.5.29.30', Buffer.from(hex, 'hex'), true),
    ];
    const authority = issueAuthority('Malformed', { by: root, extensions });
    const answer = await service.createSession({ leaf: issue({ by: authority }), chain: [authority] });
    expect([answer.status, answer.why]).toEqual([403, expect.stringContaining(why)]);
  });

  test('of some length are read', async () => {
    const authority = limited([
      ['dns', 'a'.repeat(122)],
      ['dns', 'example'],
    ]);
    expect(await isTrusted(leafWith(authority, [['dns', 'a.example']]), authority)).toBe(true);
  });
});
