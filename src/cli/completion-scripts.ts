import { shellQuoted } from '../encoding/shell.ts';
import { choicesBehind, commandNames, commands, groups, isGroupName } from './options.ts';
import type { Command, CommandName, GroupName, Option, Shell } from './options.ts';

/*
 * The scripts hold the whole table, so that a press of the Tab key starts no process of ours. Each serves both names
 * of the command.
 */
export const completionScripts: Readonly<Record<Shell, (descriptions: boolean) => string>> = {
  bash,
  zsh,
  fish,
  powershell,
};

interface OfferedOption {
  readonly name: string;
  readonly option: Option;
}

const help: Option = { kind: 'flag', group: 'General', description: 'explain this command' };

function offered(name: CommandName): readonly OfferedOption[] {
  const { options }: Command = commands[name];
  const supported = Object.entries(options).filter(([, { later }]) => later === undefined);
  return [...supported, ['help', help] as const].map(([name, option]) => ({ name, option }));
}

function choices(name: CommandName): readonly string[] {
  const { argument }: Command = commands[name];
  // Of several words, the first one alone is there to be completed.
  return argument?.choices.filter((choice) => !choice.includes(' ')) ?? [];
}

const groupNames = Object.keys(groups) as GroupName[];

/** The words that may begin a line, or follow a group's name. */
const wordsBehind = (group?: GroupName): readonly string[] => choicesBehind(group).map(({ word }) => word);

const takesFile = ({ value }: Option): boolean => value === 'FILE' || value === 'SOURCE';

const words = (texts: readonly string[]): string => texts.join(' ');

/** Bash 3.2 can do all of this (macOS has no newer one); what it cannot complete it completes as a file name. */
function bash(): string {
  const cases = commandNames.map((name) => {
    const options = offered(name).map(({ name }) => `--${name}`);
    const values = offered(name).flatMap(({ name, option }) => (option.kind === 'flag' ? [] : [`--${name}`]));
    return `    "${name}")
      values="${words(values)}"
      offer="${words([...choices(name), ...options])}" ;;`;
  });
  const groupCases = groupNames.map(
    (group) => `    ${group}) offer="${words([...wordsBehind(group), '--help'])}" ;;`,
  );
  return `# bash completion for rolesanywhere
_rolesanywhere() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local word command="" values="" offer="${words([...wordsBehind(), '--help', '--version'])}"
  # Bash takes --name=value for three words.
  if [[ "$current" == "=" ]]; then
    current=""
  elif [[ "$previous" == "=" ]]; then
    previous="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "\${command:+$command }$word" in
      ${commandNames.map((name) => `"${name}"`).join(' | ')}) command="\${command:+$command }$word"; break ;;
      ${groupNames.join(' | ')}) command="$word" ;;
    esac
  done
  case "$command" in
${[...cases, ...groupCases].join('\n')}
  esac
  COMPREPLY=()
  if [[ " $values " == *" $previous "* ]]; then return; fi
  COMPREPLY=($(compgen -W "$offer" -- "$current"))
}
complete -o bashdefault -o default -F _rolesanywhere rolesanywhere aws_signing_helper
`;
}

function zsh(descriptions: boolean): string {
  const plain = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');
  const option = ({ name, option }: OfferedOption): string => {
    const description = descriptions ? `[${plain(option.description)}]` : '';
    const text = `--${name}${option.kind === 'flag' ? '' : '='}${description}`;
    const action = takesFile(option) ? '_files' : option.value === 'DIRECTORY' ? '_files -/' : ' ';
    const value = option.kind === 'flag' ? '' : `:${plain(option.value ?? '')}:${action}`;
    return shellQuoted(`${option.kind === 'list' ? '*' : ''}${text}${value}`);
  };
  const specs = (name: CommandName): string => {
    const texts = choices(name);
    const argument = texts.length > 0 ? [shellQuoted(`1:argument:(${words(texts)})`)] : [];
    return [...argument, ...offered(name).map(option)].join(' \\\n        ');
  };
  const functionOf = (group?: GroupName): string => `_rolesanywhere${group === undefined ? '' : `_${group}`}`;
  /** What may begin a line, or follow a group's name: one function each. */
  const level = (group?: GroupName): string => {
    const choices = choicesBehind(group);
    const list = choices.map(({ word, summary }) =>
      shellQuoted(descriptions ? `${word}:${plain(summary)}` : word),
    );
    const cases = choices.map(({ word, topic }) =>
      isGroupName(topic)
        ? `    ${word}) ${functionOf(topic)} ;;`
        : `    ${word}) _arguments ${specs(topic)} ;;`,
    );
    const version =
      group === undefined ? ` '--version${descriptions ? '[print the version number]' : ''}'` : '';
    return `${functionOf(group)}() {
  local curcontext="$curcontext" state line
  local -a names=(${list.join(' ')})
  _arguments -C '1:command:->command' '*::argument:->argument' '--help${descriptions ? '[explain]' : ''}'${version}
  if [[ $state == command ]]; then
    _describe command names
    return
  fi
  case $line[1] in
${cases.join('\n')}
  esac
}`;
  };
  return `#compdef rolesanywhere aws_signing_helper
${[...groupNames, undefined].map(level).join('\n')}
if [[ $funcstack[1] == _rolesanywhere ]]; then
  _rolesanywhere "$@"
else
  compdef _rolesanywhere rolesanywhere aws_signing_helper
fi
`;
}

function fish(descriptions: boolean): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const described = (text: string): string => (descriptions ? ` -d ${quote(text)}` : '');
  const condition = (texts: readonly string[]): string =>
    quote(texts.map((text) => `__fish_seen_subcommand_from ${text}`).join('; and '));
  const list = choicesBehind(undefined).map(
    ({ word, summary }) =>
      `complete -c rolesanywhere -n __fish_use_subcommand -a ${word}${described(summary)}`,
  );
  const ofGroups = groupNames.flatMap((group) => {
    const none = `'__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${words(wordsBehind(group))}'`;
    return choicesBehind(group).map(
      ({ word, summary }) => `complete -c rolesanywhere -n ${none} -a ${word}${described(summary)}`,
    );
  });
  const rest = commandNames.flatMap((name) => {
    const line = `complete -c rolesanywhere -n ${condition(name.split(' '))}`;
    const texts = choices(name);
    return [
      ...(texts.length === 0 ? [] : [`${line} -a ${quote(words(texts))}`]),
      ...offered(name).map(({ name, option }) => {
        const file = takesFile(option)
          ? '-r -F'
          : option.value === 'DIRECTORY'
            ? "-x -a '(__fish_complete_directories)'"
            : '-x';
        return `${line} -l ${name}${option.kind === 'flag' ? '' : ` ${file}`}${described(option.description)}`;
      }),
    ];
  });
  return `# fish completion for rolesanywhere
complete -c rolesanywhere -f
complete -c rolesanywhere -n __fish_use_subcommand -l version${described('print the version number')}
${[...list, ...ofGroups, ...rest].join('\n')}
complete -c aws_signing_helper -w rolesanywhere
`;
}

function powershell(): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  const entry = (key: string, texts: readonly string[]): string =>
    `    ${quote(key)} = @(${texts.map(quote).join(', ')})`;
  const table = [
    entry('', [...wordsBehind(), '--help']),
    ...groupNames.map((group) => entry(group, [...wordsBehind(group), '--help'])),
    ...commandNames.map((name) =>
      entry(name, [...choices(name), ...offered(name).map(({ name }) => `--${name}`)]),
    ),
  ];
  return `# PowerShell completion for rolesanywhere
Register-ArgumentCompleter -Native -CommandName rolesanywhere, aws_signing_helper -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $offers = @{
${table.join('\n')}
  }
  $command = ''
  foreach ($word in $commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" }) {
    $longer = "$command $word".Trim()
    if ($word -ne $wordToComplete -and $offers.ContainsKey($longer)) { $command = $longer }
  }
  $offer = $offers[$command]
  $offer | Where-Object { $_.StartsWith($wordToComplete) } | Sort-Object | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}
