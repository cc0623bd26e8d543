import { closeSync, openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { RolesAnywhereError } from '../errors.ts';
import type { PasswordKind } from '../key/password.ts';
import { passwordRequired } from '../key/unlock.ts';
import { Secret } from '../secret.ts';
import { harmless } from './output.ts';

/** How each is asked for. */
const prompts: Readonly<Record<PasswordKind, (what: string) => string>> = {
  password: (what) => `password of ${what}`,
  'TPM password': (what) => `password of ${what} (Enter if it has none)`,
  PIN: (what) => `PIN of ${what}`,
};

/** What a terminal in raw mode sends for the keys that mean more than themselves. */
const keys = {
  interrupt: 0x03,
  endOfFile: 0x04,
  backspace: 0x08,
  newLine: 0x0a,
  enter: 0x0d,
  kill: 0x15,
  delete: 0x7f,
};

/**
 * Asks for a password on the terminal that the process belongs to, whatever its standard streams are, without showing
 * what is typed.
 *
 * @param what what the password opens
 * @param kind what is asked for
 * @throws RolesAnywhereError PASSWORD_REQUIRED when there is no terminal, PASSWORD_UNREADABLE when nothing is entered
 */
export async function askSecretly(
  what: string,
  kind: PasswordKind = 'password',
): Promise<Secret<Uint8Array>> {
  const [input, output] =
    process.platform === 'win32' ? ['\\\\.\\CONIN$', '\\\\.\\CONOUT$'] : ['/dev/tty', '/dev/tty'];
  let screen: number;
  let keyboard: ReadStream;
  try {
    screen = openSync(output, 'w');
    keyboard = new ReadStream(openSync(input, 'r+'));
  } catch {
    throw passwordRequired(what, 'and there is no terminal to ask for it on', kind);
  }
  try {
    // First, or what is typed at once would be shown.
    keyboard.setRawMode(true);
    writeSync(screen, `rolesanywhere: ${prompts[kind](harmless(what))}: `);
    return new Secret(await readLine(keyboard, kind));
  } finally {
    keyboard.setRawMode(false);
    keyboard.destroy();
    writeSync(screen, '\n');
    closeSync(screen);
  }
}

async function readLine(keyboard: ReadStream, kind: PasswordKind): Promise<Uint8Array> {
  const line = Buffer.alloc(4096);
  let length = 0;
  try {
    for await (const chunk of keyboard as AsyncIterable<Buffer>) {
      for (const byte of chunk) {
        switch (byte) {
          case keys.interrupt:
            // As the terminal does by itself when it is not in raw mode.
            process.kill(process.pid, 'SIGINT');
            throw cancelled(kind);
          case keys.newLine:
          case keys.enter:
            return Uint8Array.from(line.subarray(0, length));
          case keys.endOfFile:
            if (length === 0) throw cancelled(kind);
            return Uint8Array.from(line.subarray(0, length));
          case keys.kill:
            length = 0;
            break;
          case keys.backspace:
          case keys.delete:
            // A whole character: UTF-8 continues with bytes of the form 10xxxxxx.
            while (length > 0 && ((line[--length] ?? 0) & 0xc0) === 0x80);
            break;
          default:
            if (length < line.length) line[length++] = byte;
        }
      }
      chunk.fill(0);
    }
  } finally {
    line.fill(0);
  }
  throw cancelled(kind);
}

function cancelled(kind: PasswordKind): RolesAnywhereError {
  return new RolesAnywhereError(
    'PASSWORD_UNREADABLE',
    kind === 'PIN' ? 'no PIN was entered' : 'no password was entered',
  );
}
