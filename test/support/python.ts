import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { requirePart } from './system-parts.ts';

/** A Python script that writes lines. */
export interface PythonScript extends Disposable {
  /** The next line. */
  line(): Promise<string>;
}

export function startPython(script: string, ...words: readonly string[]): PythonScript {
  const child = spawn(requirePart('python3'), ['-u', '-c', script, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    line: async () => ((await lines.next()) as IteratorResult<string, string>).value,
    [Symbol.dispose]: () => {
      child.kill();
    },
  };
}
