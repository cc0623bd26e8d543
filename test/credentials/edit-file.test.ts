import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { editFile } from '../../src/credentials/edit-file.ts';
import { expectCode } from '../support/errors.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rolesanywhere-edit-'));
  file = join(folder, 'credentials');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const append = (text: string) => (contents: Uint8Array) => Buffer.concat([contents, Buffer.from(text)]);
const modeOf = (path: string): number => statSync(path).mode & 0o777;
const text = (path = file): string => readFileSync(path, 'utf8');

describe('a file', () => {
  it('that is missing is made, with its folder, for its owner alone', async () => {
    const deep = join(folder, 'home', '.aws', 'credentials');
    await editFile(deep, append('new'));
    expect(text(deep)).toBe('new');
    expect(modeOf(deep)).toBe(0o600);
    expect(modeOf(join(folder, 'home', '.aws'))).toBe(0o700);
    expect(readdirSync(join(folder, 'home', '.aws'))).toEqual(['credentials']);
  });

  it.each([
    [0o644, 0o600],
    [0o400, 0o400],
    [0o777, 0o600],
  ])('of mode %o becomes one of %o', async (before, after) => {
    writeFileSync(file, 'old ');
    chmodSync(file, before);
    await editFile(file, append('new'));
    expect(text()).toBe('old new');
    expect(modeOf(file)).toBe(after);
  });

  it('behind a link is replaced, and the link stays', async () => {
    mkdirSync(join(folder, 'elsewhere'));
    const target = join(folder, 'elsewhere', 'real');
    writeFileSync(target, 'old ');
    symlinkSync(join('elsewhere', 'real'), file);
    await editFile(file, append('new'));
    expect(readlinkSync(file)).toBe(join('elsewhere', 'real'));
    expect(text(target)).toBe('old new');
    expect(lstatSync(target).isFile()).toBe(true);
  });

  it('behind a link that leads nowhere yet is made', async () => {
    symlinkSync(join(folder, 'later', 'real'), file);
    await editFile(file, append('new'));
    expect(text(join(folder, 'later', 'real'))).toBe('new');
  });

  it('is refused where there is none: links in a circle, folders, devices', async () => {
    const circle = join(folder, 'circle');
    symlinkSync(file, circle);
    symlinkSync(circle, file);
    await expectCode(() => editFile(file, append('new')), 'FILE_UNWRITABLE');
    await expectCode(() => editFile(folder, append('new')), 'FILE_UNWRITABLE');
    await expectCode(() => editFile('/dev/null', append('new')), 'FILE_UNWRITABLE');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    await expectCode(() => editFile(join(circle, 'below'), append('new')), 'FILE_UNREADABLE');
    await expectCode(() => editFile('/proc/rolesanywhere/a/b', append('new')), 'FILE_UNWRITABLE');
  });

  it('stays as it is when the change fails, and nothing is left beside it', async () => {
    writeFileSync(file, 'old', { mode: 0o644 });
    const failing = editFile(file, () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(text()).toBe('old');
    expect(modeOf(file)).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['credentials']);
  });

  it('that others change meanwhile is changed as they left it', async () => {
    writeFileSync(file, 'old ');
    const seen: string[] = [];
    await editFile(file, (contents) => {
      seen.push(Buffer.from(contents).toString());
      if (seen.length === 1) writeFileSync(file, 'theirs ');
      return append('new')(contents);
    });
    expect(seen).toEqual(['old ', 'theirs ']);
    expect(text()).toBe('theirs new');
    expect(readdirSync(folder)).toEqual(['credentials']);
  });

  it('that others never leave alone is left to them', async () => {
    let calls = 0;
    const endless = (contents: Uint8Array): Uint8Array => {
      writeFileSync(file, `theirs ${++calls}`);
      return append('new')(contents);
    };
    await expectCode(() => editFile(file, endless), 'FILE_UNWRITABLE');
    expect(text()).toBe(`theirs ${calls}`);
    expect(readdirSync(folder)).toEqual(['credentials']);
  });

  it('takes every change of those who come at once', async () => {
    const marks = Array.from({ length: 10 }, (_, i) => `${i};`);
    await Promise.all(marks.map((mark) => editFile(file, append(mark))));
    expect(
      text()
        .split(/(?<=;)/)
        .sort(),
    ).toEqual(marks);
    expect(readdirSync(folder)).toEqual(['credentials']);
  });

  it('is left to the next by who was taken for dead, and then changed in its turn', async () => {
    writeFileSync(file, 'old ');
    const next = `${file}.rolesanywhere-lock-2`;
    const seen: string[] = [];
    await editFile(file, (contents) => {
      seen.push(Buffer.from(contents).toString());
      if (seen.length === 1) {
        writeFileSync(next, 'another');
        setTimeout(() => {
          writeFileSync(file, 'theirs ');
          rmSync(next);
        }, 50);
      }
      return append('new')(contents);
    });
    expect(seen).toEqual(['old ', 'theirs ']);
    expect(text()).toBe('theirs new');
    expect(readdirSync(folder)).toEqual(['credentials']);
  });

  it('loses what killed processes left beside it, and nothing else', async () => {
    for (const name of ['.rolesanywhere-0a1b', '.rolesanywhere-0a1b.tmp', '.bak', '-other']) {
      writeFileSync(file + name, 'left');
    }
    await editFile(file, append('new'));
    expect(readdirSync(folder)).toEqual(['credentials', 'credentials-other', 'credentials.bak']);
  });

  it('is waited for no longer once a signal is aborted', async () => {
    writeFileSync(`${file}.rolesanywhere-lock-1`, '1\n');
    const stop = new AbortController();
    stop.abort();
    await expectCode(() => editFile(file, append('new'), stop.signal), 'FILE_UNWRITABLE');
    expect(readdirSync(folder)).toEqual(['credentials.rolesanywhere-lock-1']);
  });
});
