import fc from 'fast-check';
import { commands } from '../../src/cli/options.ts';
import type { Command, CommandName, Option } from '../../src/cli/options.ts';
import { anyText } from './any-text.ts';

const value = fc.oneof(
  anyText({ maxLength: 8 }),
  fc.constantFrom(
    '',
    '-',
    '--',
    '-x',
    '--debug',
    '--region=x',
    'a=b',
    '=',
    '"quoted"',
    "'q'",
    '0x10',
    '1_000',
    '007',
  ),
  fc.constantFrom(
    '1e999',
    'true',
    'false',
    'null',
    '[object Object]',
    'a.b',
    'a,b',
    '__proto__',
    'constructor',
    '\n',
  ),
);
const flagValue = fc.constantFrom('true', 'false', 't', 'F', '1', '0', 'True', 'FALSE', 'T', 'f', 'yes', '');
const dashes = fc.constantFrom('--', '--', '--', '-');

/** One option in one of its spellings: one word or two. */
function spelled(name: string, { kind }: Option): fc.Arbitrary<string[]> {
  const alone = dashes.map((dash) => [`${dash}${name}`]);
  const joined = (values: fc.Arbitrary<string>) =>
    fc.tuple(dashes, values).map(([dash, text]) => [`${dash}${name}=${text}`]);
  if (kind === 'flag') return fc.oneof({ weight: 2, arbitrary: alone }, joined(flagValue));
  const apart = fc.tuple(dashes, value).map(([dash, text]) => [`${dash}${name}`, text]);
  return fc.oneof(joined(value), apart);
}

const wrong = fc.oneof(
  value.map((text) => [text]),
  fc.constantFrom(
    ['--nonsense'],
    ['--no-debug'],
    ['--roleArn', 'x'],
    ['-d'],
    ['--'],
    ['---debug'],
    ['--region'],
  ),
);

/** A command line that is mostly in order: its required options, some others, and now and then something wrong. */
export function commandLine(name: CommandName): fc.Arbitrary<string[]> {
  const { options, argument, rest }: Command = commands[name];
  const entries = Object.entries(options);
  const words = entries.flatMap(([name, option]) => (option.required ? [spelled(name, option)] : []));
  if (argument !== undefined)
    words.push(fc.constantFrom(...argument.choices.map((choice) => choice.split(' ')), []));
  const behind = rest === undefined ? [[]] : [['--', 'ls', '-l', '--debug', '--'], ['--', ''], ['--'], []];
  // Of few options many times, so that they are repeated and contradict each other.
  const contradictions = entries.filter(([name, { conflicts }]) =>
    entries.some(([other, option]) => conflicts === other || option.conflicts === name),
  );
  const few = fc.oneof(
    { weight: 3, arbitrary: fc.subarray(entries, { maxLength: Math.min(3, entries.length) }) },
    fc.constant(contradictions),
  );
  const extras = few.chain((some) =>
    some.length === 0
      ? fc.constant<string[][]>([])
      : fc.array(fc.oneof(...some.map(([name, option]) => spelled(name, option))), { maxLength: 5 }),
  );
  return fc
    .tuple(fc.tuple(...words), extras, fc.option(wrong, { freq: 4, nil: [] }), fc.constantFrom(...behind))
    .chain(([first, more, last, command]) => {
      const parts = [...first, ...more, last, name.split(' ')];
      return fc
        .shuffledSubarray(parts, { minLength: parts.length })
        .map((shuffled) => [...shuffled.flat(), ...command]);
    });
}
