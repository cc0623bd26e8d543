import { completionScripts } from '../completion-scripts.ts';
import type { Reading } from '../fast-path.ts';
import type { Shell } from '../options.ts';
import { print } from '../output.ts';

export function run({ argument }: Reading<'completion'>): void {
  print(completionScripts[argument as Shell]());
}
