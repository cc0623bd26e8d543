import type { Credentials } from '../aws/credentials.ts';
import { RolesAnywhereError } from '../errors.ts';
import { readIni } from './ini.ts';
import type { IniLine } from './ini.ts';

/**
 * Refuses a profile's name that the shared files cannot hold, or that some reader takes for something else.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT
 */
export function checkProfileName(profile: string): void {
  // To configparser [DEFAULT] is part of every section; the SDK for JavaScript refuses a file with [__proto__].
  const isTaken = ['', 'DEFAULT', '__proto__'].includes(profile);
  // A bracket ends the name, a line end the line, and white space before # or ; begins a comment.
  if (!isTaken && !/^\s|\s$|\s[#;]|[[\]\p{Cc}\p{Zl}\p{Zp}]/u.test(profile)) return;
  throw new RolesAnywhereError(
    'INVALID_ARGUMENT',
    `a credentials file can hold no profile named ${JSON.stringify(profile)}`,
    {
      hint: 'name it by letters, digits, - and _',
    },
  );
}

/**
 * The file with these credentials in one of its profiles, which is added when it is not there. Every byte that is not
 * one of the profile's keys, or part of its value, stays as it is.
 *
 * Where a section stands twice, both get the credentials: readers differ in which they take.
 *
 * @throws RolesAnywhereError FILE_UNWRITABLE when the file is UTF-16, or a header in it hangs from one of our keys;
 *   SERVICE_FAILED when a credential is nothing that a line can hold
 */
export function setProfile(file: Uint8Array, profile: string, credentials: Credentials): Uint8Array {
  const text = Buffer.from(file).toString('latin1');
  if (/^(?:\xff\xfe|\xfe\xff)/.test(text)) {
    throw new RolesAnywhereError('FILE_UNWRITABLE', 'the credentials file is written in UTF-16', {
      hint: 'save it as UTF-8, which every AWS tool reads',
    });
  }
  const name = Buffer.from(profile).toString('latin1');
  return Buffer.from(edit(text, name, keysOf(credentials)), 'latin1');
}

/** What stands in the profile, by key. The last is an older name that boto3 prefers where it is there. */
type Keys = Readonly<Record<string, string>>;
const legacyKey = 'aws_security_token';

function keysOf({ accessKeyId, secretAccessKey, sessionToken }: Credentials): Keys {
  const keys = {
    aws_access_key_id: accessKeyId,
    aws_secret_access_key: secretAccessKey,
    aws_session_token: sessionToken,
    [legacyKey]: sessionToken,
  };
  for (const [key, value] of Object.entries(keys)) {
    if (/^[!-~]+$/.test(value) && !/^[#;]/.test(value)) continue;
    throw new RolesAnywhereError('SERVICE_FAILED', `the service's ${key} is nothing that a line can hold`);
  }
  return keys;
}

function edit(text: string, profile: string, keys: Keys): string {
  const lineEnd = /\r\n|\n|\r/.exec(text)?.[0] ?? '\n';
  const lines: string[] = [];
  /** Behind the last line of the profile that is neither blank nor a comment; undefined outside of it. */
  let end: number | undefined;
  let isThere = false;
  /** Where the profile's keys stand in `lines`. */
  let places = new Map<string, number>();

  const complete = (indent: string): void => {
    const missing = Object.keys(keys).filter((key) => key !== legacyKey && !places.has(key));
    if (end === undefined || missing.length === 0) return;
    const before = lines[end - 1] ?? '';
    if (!/[\r\n]$/.test(before)) lines[end - 1] = before + lineEnd;
    // Not deeper than the header that follows, or that would continue our value.
    lines.splice(end, 0, ...missing.map((key) => `${indent}${key} = ${keys[key] ?? ''}${lineEnd}`));
  };

  for (const line of readIni(text)) {
    if (line.kind === 'header') {
      complete(line.indent);
      end = line.name === profile ? lines.length + 1 : undefined;
      isThere ||= end !== undefined;
      places = new Map();
      lines.push(line.text);
    } else if (end === undefined || line.kind === 'blank' || !Object.hasOwn(keys, line.name)) {
      lines.push(line.text);
      if (end !== undefined && line.kind !== 'blank') end = lines.length;
    } else if (line.kind === 'option') {
      // A second time is once too often for boto3.
      if (places.has(line.name)) continue;
      places.set(line.name, lines.length);
      lines.push(withValue(line, keys[line.name] ?? ''));
      end = lines.length;
    } else if (line.text.startsWith('[', line.indent.length)) {
      throw new RolesAnywhereError(
        'FILE_UNWRITABLE',
        `some readers would take a header for a part of ${line.name}`,
        {
          hint: 'remove the white space before the header below it',
        },
      );
    } else if (isAnotherKey(line, keys)) {
      // It would continue our value, or that of our key above: so all of ours are written anew, further down.
      for (const place of places.values()) lines[place] = '';
      places.clear();
      lines.push(line.text);
      end = lines.length;
    }
  }
  complete('');
  if (isThere) return lines.join('');

  const last = lines.at(-1) ?? '';
  if (last !== '' && !/[\r\n]$/.test(last)) lines.push(lineEnd);
  if (!/^[\r\n]*$/.test(last)) lines.push(lineEnd);
  lines.push(`[${profile}]${lineEnd}`);
  end = lines.length;
  complete('');
  return lines.join('');
}

/** The line with another value, and `=` before it; some readers know neither `:` nor capitals. */
function withValue({ text, indent, name }: IniLine, value: string): string {
  const afterName = text.slice(indent.length + name.length);
  const [, gaps = '', lineEnd = ''] = /^(.*?[=:][\t ]*|).*?([\r\n]*)$/.exec(afterName) ?? [];
  return `${indent}${name}${gaps === '' ? ' = ' : gaps.replace(':', '=')}${value}${lineEnd}`;
}

/**
 * Whether a line that continues a value is a key to readers that do not look at indentation, such as the SDK for
 * JavaScript. What continues a token is none: behind base64's own = nothing follows.
 */
function isAnotherKey({ text, indent }: IniLine, keys: Keys): boolean {
  const [, key] = /^([\w.-]+)[\t ]*=[\t ]*[^\s=]/.exec(text.slice(indent.length)) ?? [];
  return key !== undefined && !Object.hasOwn(keys, key.toLowerCase());
}
