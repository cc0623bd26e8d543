import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isRuntimesOwn } from '../../src/runtime/descriptor.ts';

describe.runIf(process.platform === 'linux')("the runtime's own descriptors", () => {
  const open = (kind: string): number[] =>
    readdirSync('/proc/self/fd')
      .map(Number)
      .filter((descriptor) => {
        try {
          return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(kind);
        } catch {
          return false;
        }
      });

  test('are its epolls and events, and the pipes that it writes to itself', () => {
    const events = open('anon_inode:');
    expect(events.length).toBeGreaterThan(0);
    expect(events.filter((descriptor) => !isRuntimesOwn(descriptor))).toEqual([]);
    // Standard input and output are of somebody else.
    const pipes = open('pipe:').filter((descriptor) => descriptor > 2);
    expect(pipes.filter((descriptor) => isRuntimesOwn(descriptor)).length).toBeGreaterThan(1);
  });

  test('are neither files nor named pipes, which a caller opens in this process, nor what is not open', () => {
    const folder = mkdtempSync(join(tmpdir(), 'descriptor '));
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const writer = openSync(path, 'r+');
    const reader = openSync(path, 'r');
    const file = openSync('/dev/null', 'r');
    for (const descriptor of [reader, writer, file, 999_999]) expect(isRuntimesOwn(descriptor)).toBe(false);
    for (const descriptor of [reader, writer, file]) closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });
});
