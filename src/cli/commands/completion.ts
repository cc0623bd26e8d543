import { completionScripts } from '../completion-scripts.ts';
import type { Reading } from '../fast-path.ts';
import type { Shell } from '../options.ts';
import { print } from '../output.ts';

export async function run({ argument, values }: Reading<'completion'>): Promise<void> {
  if (argument === undefined) {
    const { helpText } = await import('./help.ts');
    print(await helpText('completion'));
  } else {
    print(completionScripts[argument as Shell](!values['no-descriptions']));
  }
}
