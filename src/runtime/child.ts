import { fork } from 'node:child_process';

/** How the child ended: by itself with a code, or by a signal, as a crash does. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A Node.js process of our own, and the messages to and from it (structured clones). */
export interface Child {
  send(message: unknown): void;
  /** Whether this process waits for the child before it ends by itself. */
  hold(wait: boolean): void;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
  readonly exited: Promise<ChildExit>;
}

/**
 * Starts a script in a process of its own. What it or a library in it prints goes to stderr: stdout is for results.
 */
export function startChild(script: string, onMessage: (message: unknown) => void): Child {
  const child = fork(script, [String(process.pid)], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  child.on('message', onMessage);
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
    child.once('error', () => {
      resolve({ code: null, signal: null });
    });
  });
  return {
    // A child that is gone shows by `exited`, not by an error here.
    send: (message) => child.connected && child.send(message as object, () => undefined),
    hold: (wait) => {
      if (wait) {
        child.ref();
        child.channel?.ref();
      } else {
        child.unref();
        child.channel?.unref();
      }
    },
    kill: () => {
      child.kill('SIGKILL');
    },
    exited,
  };
}
