import type { Child, ChildExit } from '../child.ts';

export type { Child, ChildExit } from '../child.ts';

/** Of Bun.spawn (https://bun.com/docs/runtime/child-process), what is used here. */
declare const Bun: {
  spawn(
    command: readonly string[],
    options: {
      readonly argv0: string;
      readonly stdio: readonly ['ignore', number, number];
      readonly serialization: 'advanced';
      readonly ipc: (message: unknown) => void;
      readonly onExit: (child: unknown, code: number | null, signal: number | null) => void;
    },
  ): {
    readonly signalCode: string | null;
    send(message: unknown): void;
    ref(): void;
    unref(): void;
    kill(signal: string): void;
  };
};

/** On Linux this very program, though its file may have been removed or be another's by now. */
const self = process.platform === 'linux' ? '/proc/self/exe' : process.execPath;

/** What child.ts does on Node.js: the executable starts itself, with the word that stands for the script. */
export function startChild(word: string, onMessage: (message: unknown) => void): Child {
  let exit: (how: ChildExit) => void;
  const exited = new Promise<ChildExit>((resolve) => (exit = resolve));
  let isGone = false;
  const child = Bun.spawn([self, word, String(process.pid)], {
    argv0: process.execPath,
    stdio: ['ignore', 2, 2],
    serialization: 'advanced',
    ipc: onMessage,
    onExit: (_child, code) => {
      isGone = true;
      exit({ code, signal: child.signalCode });
    },
  });
  return {
    send: (message) => {
      if (!isGone) child.send(message);
    },
    hold: (wait) => {
      if (wait) child.ref();
      else child.unref();
    },
    kill: () => {
      child.kill('SIGKILL');
    },
    exited,
  };
}
