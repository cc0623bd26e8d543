import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type Fs from 'node:fs';
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { lifeOf, processName } from '../../src/runtime/process-life.ts';

/** What /proc hides. */
const hidden = vi.hoisted(() => new Set<string>());
vi.mock('node:fs', async (load) => {
  const fs = await load<typeof Fs>();
  const readFileSync = (path: string, encoding: BufferEncoding) =>
    fs.readFileSync(hidden.has(path) ? '/proc/0/stat' : path, encoding);
  return { ...fs, readFileSync };
});

const names = () => processName().split(' ');

describe('the life of a process', () => {
  it('is that of this one', () => {
    expect(names()).toHaveLength(4);
    expect(names()[0]).toBe(String(process.pid));
    expect(lifeOf(processName())).toBe('running');
  });

  it('is over when its number belongs to one that began at another time, or to none', () => {
    const [pid, began, ...where] = names();
    expect(lifeOf([pid, `${began}0`, ...where].join(' '))).toBe('gone');
    // Linux gives no higher number than 4194304: proc(5), pid_max.
    expect(lifeOf(['4194305', began, ...where].join(' '))).toBe('gone');
  });

  it('is unknown in another space of numbers, on another machine, and for what is no name', () => {
    const [pid, began, space, machine] = names();
    for (const name of [
      [pid, began, 'pid:[1]', machine].join(' '),
      [pid, began, space, 'another'].join(' '),
      [pid, began].join(' '),
      ['../1', began, space, machine].join(' '),
      '',
    ])
      expect([name, lifeOf(name)]).toEqual([name, 'unknown']);
  });

  it('is unknown where /proc hides it, as it does of other users when it is mounted with hidepid', async () => {
    const [, ...where] = names();
    const child = spawn('sleep', ['60']);
    try {
      await once(child, 'spawn');
      hidden.add(`/proc/${child.pid}/stat`);
      expect(lifeOf([child.pid, ...where].join(' '))).toBe('unknown');
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(lifeOf([child.pid, ...where].join(' '))).toBe('gone');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('is seen to stop, go on and end', async () => {
    const child = spawn('sleep', ['60']);
    try {
      await once(child, 'spawn');
      const [, , ...where] = names();
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
      const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      const name = [child.pid, began, ...where].join(' ');
      expect(lifeOf(name)).toBe('running');
      child.kill('SIGSTOP');
      await expect.poll(() => lifeOf(name)).toBe('stopped');
      child.kill('SIGCONT');
      await expect.poll(() => lifeOf(name)).toBe('running');
      child.kill('SIGKILL');
      await expect.poll(() => lifeOf(name)).toBe('gone');
    } finally {
      child.kill('SIGKILL');
    }
  });
});
