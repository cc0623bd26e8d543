/** `text` and `number` take a value (a number stays text until it is validated), a `list` takes one each time. */
type OptionKind = 'text' | 'number' | 'flag' | 'list';

export interface Option {
  readonly kind: OptionKind;
  /** What help calls the value; FILE and DIRECTORY also make shells complete file names. */
  readonly value?: string;
  readonly group: string;
  readonly description: string;
  readonly required?: true;
  readonly default?: string;
  /** Another option that contradicts this one. */
  readonly conflicts?: string;
  /** An option that the old helper lacks. */
  readonly isNew?: true;
  /** An empty value is refused, though it is a text of the old helper: the command would quietly do something else. */
  readonly refusesEmpty?: true;
  /** Its feature is not built yet. The option is read, so that a command line keeps its meaning, and refused. */
  readonly later?: true;
}

export interface Argument {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
  readonly choices: readonly string[];
}

/** The words behind `--`: a command of the user's own, which reads its options itself. */
interface Rest {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
}

export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What it does and what it prints. */
  readonly purpose: string;
  readonly argument?: Argument;
  readonly rest?: Rest;
  readonly options: Readonly<Record<string, Option>>;
  /** Commands that work as they stand in a POSIX shell, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
}
