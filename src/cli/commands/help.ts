import { helpText } from '../careful-path.ts';
import type { Reading } from '../fast-path.ts';
import { isCommandName } from '../options.ts';
import { print } from '../output.ts';

export async function run({ argument }: Reading<'help'>): Promise<void> {
  print(await helpText(argument !== undefined && isCommandName(argument) ? argument : undefined));
}
