/**
 * A line of a shared credentials file and what it means to its readers. They differ; where they do, this is the reading
 * of Python's configparser, by which the AWS CLI and boto3 read the file.
 */
export interface IniLine {
  /** As it stands, its line end included: all lines together are the file. */
  readonly text: string;
  /** A comment counts as blank: neither ends a value. */
  readonly kind: 'blank' | 'header' | 'option' | 'continuation';
  /** Of a header the section; of an option, and of what continues its value, the option's name in lower case. */
  readonly name: string;
  /** The white space that it begins with. */
  readonly indent: string;
}

/** What Python takes for white space, of ASCII. Not \s: in a text whose characters are bytes, A0 ends many a letter. */
const space = '\t\v\f\x1c\x1d\x1e\x1f ';
const byteOrderMark = '\xef\xbb\xbf';

/** Divides a text whose characters are bytes (latin1), so that no byte is lost, whatever the encoding. */
export function* readIni(text: string): Generator<IniLine, void> {
  let option: string | undefined;
  let depth = 0;
  for (const { 0: line, 1: content = line, index } of text.matchAll(/([^\r\n]*)(?:\r\n|\n|\r)|[^\r\n]+$/g)) {
    let start = index === 0 && content.startsWith(byteOrderMark) ? byteOrderMark.length : 0;
    while (start < content.length && space.includes(content.charAt(start))) start++;
    const indent = content.slice(0, start);
    const words = trimEnd(content.slice(start));
    const make = (kind: IniLine['kind'], name: string): IniLine => ({ text: line, kind, name, indent });
    if (words === '' || words.startsWith('#') || words.startsWith(';')) {
      yield make('blank', '');
    } else if (option !== undefined && indent.length > depth) {
      yield make('continuation', option);
    } else if (words.startsWith('[')) {
      [option, depth] = [undefined, indent.length];
      // Whatever stands behind the last bracket is passed over; a header without one is nobody's.
      yield make('header', words.slice(1, Math.max(1, words.lastIndexOf(']'))));
    } else {
      const end = words.search(/[=:]/);
      option = trimEnd(end === -1 ? words : words.slice(0, end)).toLowerCase();
      depth = indent.length;
      yield make('option', option);
    }
  }
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && space.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
