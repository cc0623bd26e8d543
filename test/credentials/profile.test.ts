import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkProfileName, setProfile } from '../../src/credentials/profile.ts';
import { expectCode } from '../support/errors.ts';
import { anyText } from '../support/any-text.ts';

const expiration = new Date('2030-01-01T00:00:00Z');
const credentials = {
  accessKeyId: 'ASIANEW',
  secretAccessKey: 'new+/=',
  sessionToken: 'token==',
  expiration,
};

const set = (text: string, profile = 'default'): string =>
  Buffer.from(setProfile(Buffer.from(text, 'latin1'), profile, credentials)).toString('latin1');

const keys = `aws_access_key_id = ASIANEW
aws_secret_access_key = new+/=
aws_session_token = token==
`;

describe('a profile', () => {
  it.each<[string, string, string]>([
    ['of an empty file', '', `[default]\n${keys}`],
    ['that is not there', '[a]\nregion = x\n', `[a]\nregion = x\n\n[default]\n${keys}`],
    ['that is not there, of a file with a blank end', '[a]\n\n', `[a]\n\n[default]\n${keys}`],
    ['that is not there, of a file without a last line end', '[a]', `[a]\n\n[default]\n${keys}`],
    [
      'with other keys, in place',
      '# mine\n[a]\nx = 1\n\n[default]\nregion = x\naws_access_key_id = old\naws_secret_access_key=old\n' +
        '# token\naws_session_token\t=  old\noutput = json\n\n; end\n[b]\ny = 2\n',
      '# mine\n[a]\nx = 1\n\n[default]\nregion = x\naws_access_key_id = ASIANEW\naws_secret_access_key=new+/=\n' +
        '# token\naws_session_token\t=  token==\noutput = json\n\n; end\n[b]\ny = 2\n',
    ],
    [
      'that lacks a key: behind its last line, before what introduces the next',
      '[default]\naws_access_key_id = old\naws_secret_access_key = old\nregion = x\n\n# of b\n[b]\n',
      '[default]\naws_access_key_id = ASIANEW\naws_secret_access_key = new+/=\nregion = x\n' +
        'aws_session_token = token==\n\n# of b\n[b]\n',
    ],
    [
      'with indented keys, which are not written twice',
      '[default]\n  aws_access_key_id = old\n  aws_secret_access_key = old\n  aws_session_token = old\n  region = x\n',
      '[default]\n  aws_access_key_id = ASIANEW\n  aws_secret_access_key = new+/=\n  aws_session_token = token==\n  region = x\n',
    ],
    [
      'among sections that are indented themselves',
      '  [default]\n  region = x\n  [b]\n  y = 2\n',
      `  [default]\n  region = x\n${keys.replace(/^/gm, '  ').trimEnd()}\n  [b]\n  y = 2\n`,
    ],
    [
      'with a note behind its header',
      '[default] # note\nregion = x\n',
      `[default] # note\nregion = x\n${keys}`,
    ],
    [
      'of which the file holds the header alone, at its end',
      '[a]\nx = 1\n[default]',
      `[a]\nx = 1\n[default]\n${keys}`,
    ],
    [
      'before an empty section, which keeps its header',
      '[default]\naws_access_key_id = old\n[empty]\n[b]\n',
      `[default]\n${keys}[empty]\n[b]\n`,
    ],
    [
      'whose last line has no line end',
      `[default]\n${keys.trimEnd().replace('token==', 'old')}`,
      `[default]\n${keys.trimEnd()}`,
    ],
    [
      'with keys whose names merely begin alike',
      '[default]\naws_access_key_id_backup = keep\naws_session_tokens = keep\n',
      `[default]\naws_access_key_id_backup = keep\naws_session_tokens = keep\n${keys}`,
    ],
    [
      'with keys in capitals and behind colons, which not everybody can read',
      '[default]\nAWS_ACCESS_KEY_ID = old\nAws_Secret_Access_Key: old\naws_session_token:old\n',
      '[default]\naws_access_key_id = ASIANEW\naws_secret_access_key= new+/=\naws_session_token=token==\n',
    ],
    [
      'with empty values, and a key without any',
      '[default]\naws_access_key_id =\naws_secret_access_key=\naws_session_token\n',
      '[default]\naws_access_key_id =ASIANEW\naws_secret_access_key=new+/=\naws_session_token = token==\n',
    ],
    [
      'with a key twice, which boto3 refuses',
      `[default]\naws_access_key_id = old\n${keys}aws_access_key_id = older\nregion = x\n`,
      `[default]\n${keys}region = x\n`,
    ],
    [
      'that stands twice: readers differ in which they take',
      '[default]\nregion = x\n[b]\n[default]\noutput = json\n',
      `[default]\nregion = x\n${keys}[b]\n[default]\noutput = json\n${keys}`,
    ],
    [
      'with the old name of the token, which boto3 prefers',
      `[default]\naws_security_token = old\n`,
      `[default]\naws_security_token = token==\n${keys}`,
    ],
    [
      'with a value over several lines, which are replaced as one',
      '[default]\naws_session_token =\n  b2xk\n\n  b2xk==\n# note\nregion = x\n',
      `[default]\naws_session_token =token==\n\n# note\nregion = x\n${keys.split('\n').slice(0, 2).join('\n')}\n`,
    ],
    [
      'with nested values that look like keys',
      '[default]\ns3 =\n  aws_access_key_id = nested\n  max = 1\nnote = first\n  [b]\n  aws_session_token = text\n',
      `[default]\ns3 =\n  aws_access_key_id = nested\n  max = 1\nnote = first\n  [b]\n  aws_session_token = text\n${keys}`,
    ],
    [
      'with another key deeper than one of ours, which some readers take for its value',
      '[default]\naws_access_key_id = old\n  aws_secret_access_key = old\n  region = x\naws_session_token = old\n',
      `[default]\n  region = x\naws_session_token = token==\n${keys.split('\n').slice(0, 2).join('\n')}\n`,
    ],
    ['beside one of the same letters', '[Default]\nx = 1\n', `[Default]\nx = 1\n\n[default]\n${keys}`],
    ['beside one that most readers take for another', '[ default ]\n', `[ default ]\n\n[default]\n${keys}`],
    ['beside the one of a config file', '[profile default]\n', `[profile default]\n\n[default]\n${keys}`],
    ['behind a broken header', '[default\nx = 1\n', `[default\nx = 1\n\n[default]\n${keys}`],
    ['behind comments alone', '# [default]\n', `# [default]\n\n[default]\n${keys}`],
  ])('%s', (_, before, after) => {
    expect(set(before)).toBe(after);
    expect(set(after)).toBe(after);
  });

  it.each(['\r\n', '\r', '\n'])('keeps the line ends of its file: %j', (end) => {
    const lines = (text: string): string => text.replaceAll('\n', end);
    expect(set(lines('[a]\nx = 1\n'))).toBe(lines(`[a]\nx = 1\n\n[default]\n${keys}`));
    expect(set(lines('[default]\naws_access_key_id = old\n[a]'))).toBe(lines(`[default]\n${keys}[a]`));
  });

  it('keeps a byte-order mark, NUL, invalid UTF-8 and lines beyond 64 KiB', () => {
    const long = `# ${'x'.repeat(100_000)}\nlong = ${' y'.repeat(100_000)}\n`;
    const before = `\xef\xbb\xbf[default]\nname = \0\xff\xc3 \xe9\n${long}`;
    expect(set(`${before}[a]\n${long}`)).toBe(`${before}${keys}[a]\n${long}`);
  });

  it('may have any name that a header can hold', () => {
    for (const name of ['b', 'a b', 'prod.eu-1/x@y+z%', 'größe', "it's", 'a#b']) {
      expect(() => {
        checkProfileName(name);
      }).not.toThrow();
      const text = Buffer.from(set('[default]\n', name), 'latin1').toString('utf8');
      expect(text).toBe(`[default]\n\n[${name}]\n${keys}`);
      expect(set(Buffer.from(text).toString('latin1'), name)).toBe(Buffer.from(text).toString('latin1'));
    }
  });

  it.each([
    '',
    ' a',
    'a ',
    'a]',
    '[a',
    'a\nb',
    'a\rb',
    'a\0',
    'a #b',
    'a ;b',
    'DEFAULT',
    '__proto__',
    '\u2028',
  ])('has a name that INI can hold, not %j', async (name) => {
    await expectCode(() => {
      checkProfileName(name);
    }, 'INVALID_ARGUMENT');
  });

  it.each(['a\nb', 'a\r[other]', 'a b', '', '#a', ';a', 'é', 'a\0'])(
    'is not written with a credential that a line cannot hold: %j',
    async (sessionToken) => {
      const error = await expectCode(
        () => setProfile(Buffer.from('[default]\n'), 'default', { ...credentials, sessionToken }),
        'SERVICE_FAILED',
      );
      if (sessionToken.length > 1) expect(error.message).not.toContain(sessionToken);
    },
  );

  it('is not written where a header hangs from one of its keys', async () => {
    for (const key of ['aws_access_key_id = old', 'aws_session_token =']) {
      await expectCode(() => set(`[default]\n${key}\n# note\n  [b]\n  region = x\n`), 'FILE_UNWRITABLE');
    }
  });

  it('is not put into a file in UTF-16', async () => {
    await expectCode(
      () => setProfile(Buffer.from('\ufeff[a]\n', 'utf16le'), 'default', credentials),
      'FILE_UNWRITABLE',
    );
  });
});

describe('whatever the file holds', () => {
  const line = fc.oneof(
    fc.constantFrom('', '[default]', '[a]', '[b] # note', '# c', ' ; c', 's3 =', '\t', '[', '=x'),
    fc
      .constantFrom('aws_access_key_id', 'AWS_SESSION_TOKEN', 'region', 'aws_access_key_id_backup')
      .chain((key) =>
        fc
          .tuple(
            fc.constantFrom('', '  ', '\t', '    '),
            fc.constantFrom('=', ' = ', ':', ''),
            fc.base64String({ minLength: 4 }),
          )
          .map(([indent, equals, value]) => indent + key + equals + value),
      ),
    anyText().map((text) => Buffer.from(text).toString('latin1')),
  );
  const file = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\n', '\r')))
    .map((lines) => lines.flat().join(''));

  it('other bytes stay, in their order, and a second time changes nothing', () => {
    fc.assert(
      fc.property(file, (before) => {
        const after = set(before);
        expect(set(after)).toBe(after);
        // What is gone are lines of our keys, or their values: nothing that begins a section.
        const headers = (text: string) => text.split(/[\r\n]+/).filter((words) => /^\W*\[./.test(words));
        const kept = headers(after);
        if (!/^\[default\]/m.test(before)) expect(kept.pop()).toBe('[default]');
        expect(kept).toEqual(headers(before));
        const rest = (text: string) =>
          text.split(/[\r\n]+/).filter((words) => /region\s*=|backup\s*=|^s3|^[#;]|^\s+[;#]/.test(words));
        expect(rest(after)).toEqual(rest(before));
      }),
      { numRuns: 500 },
    );
  });

  it('ten thousand profiles take no more than a moment', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `[p${i}]\naws_access_key_id = ${i}\n`).join('');
    expect(set(many, 'p5000')).toBe(many.replace('[p5000]\naws_access_key_id = 5000\n', `[p5000]\n${keys}`));
  }, 2000);
});
