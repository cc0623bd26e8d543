import { commandNames, commands } from './options.ts';
import type { Command, CommandName, Option, Shell } from './options.ts';

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
  return argument?.choices ?? [];
}

const takesFile = ({ value }: Option): boolean => value === 'FILE' || value === 'SOURCE';

const words = (texts: readonly string[]): string => texts.join(' ');

/** Bash 3.2 can do all of this (macOS has no newer one); what it cannot complete it completes as a file name. */
function bash(): string {
  const cases = commandNames.map((name) => {
    const options = offered(name).map(({ name }) => `--${name}`);
    const values = offered(name).flatMap(({ name, option }) => (option.kind === 'flag' ? [] : [`--${name}`]));
    return `    ${name})
      values="${words(values)}"
      offer="${words([...choices(name), ...options])}" ;;`;
  });
  return `# bash completion for rolesanywhere
_rolesanywhere() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local word command="" values="" offer="${words([...commandNames, '--help', '--version'])}"
  # Bash takes --name=value for three words.
  if [[ "$current" == "=" ]]; then
    current=""
  elif [[ "$previous" == "=" ]]; then
    previous="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$word" in
      ${commandNames.join(' | ')}) command="$word"; break ;;
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=()
  if [[ " $values " == *" $previous "* ]]; then return; fi
  COMPREPLY=($(compgen -W "$offer" -- "$current"))
}
complete -o bashdefault -o default -F _rolesanywhere rolesanywhere aws_signing_helper
`;
}

function zsh(descriptions: boolean): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const plain = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');
  const option = ({ name, option }: OfferedOption): string => {
    const description = descriptions ? `[${plain(option.description)}]` : '';
    const text = `--${name}${option.kind === 'flag' ? '' : '='}${description}`;
    const action = takesFile(option) ? '_files' : option.value === 'DIRECTORY' ? '_files -/' : ' ';
    const value = option.kind === 'flag' ? '' : `:${plain(option.value ?? '')}:${action}`;
    return quote(`${option.kind === 'list' ? '*' : ''}${text}${value}`);
  };
  const cases = commandNames.map((name) => {
    const specs = offered(name).map(option);
    const texts = choices(name);
    if (texts.length > 0) specs.unshift(quote(`1:argument:(${words(texts)})`));
    return `    ${name}) _arguments ${specs.join(' \\\n        ')} ;;`;
  });
  const list = commandNames.map((name) =>
    quote(descriptions ? `${name}:${plain(commands[name].summary)}` : name),
  );
  return `#compdef rolesanywhere aws_signing_helper
_rolesanywhere() {
  local curcontext="$curcontext" state line
  local -a names=(${list.join(' ')})
  _arguments -C '1:command:->command' '*::argument:->argument' '--help${descriptions ? '[explain]' : ''}' '--version${descriptions ? '[print the version number]' : ''}'
  if [[ $state == command ]]; then
    _describe command names
    return
  fi
  case $line[1] in
${cases.join('\n')}
  esac
}
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
  const list = commandNames.map(
    (name) =>
      `complete -c rolesanywhere -n __fish_use_subcommand -a ${name}${described(commands[name].summary)}`,
  );
  const rest = commandNames.flatMap((name) => {
    const line = `complete -c rolesanywhere -n '__fish_seen_subcommand_from ${name}'`;
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
${[...list, ...rest].join('\n')}
complete -c aws_signing_helper -w rolesanywhere
`;
}

function powershell(): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  const table = commandNames.map((name) => {
    const texts = [...choices(name), ...offered(name).map(({ name }) => `--${name}`)];
    return `    ${quote(name)} = @(${texts.map(quote).join(', ')})`;
  });
  return `# PowerShell completion for rolesanywhere
Register-ArgumentCompleter -Native -CommandName rolesanywhere, aws_signing_helper -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $offers = @{
${table.join('\n')}
  }
  $command = $commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" } |
    Where-Object { $offers.ContainsKey($_) -and $_ -ne $wordToComplete } | Select-Object -First 1
  $offer = if ($command) { $offers[$command] } else { @($offers.Keys) + '--help' + '--version' }
  $offer | Where-Object { $_.StartsWith($wordToComplete) } | Sort-Object | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}
