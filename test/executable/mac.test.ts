import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

// macOS ends a program whose signature does not fit, and on ARM one that has none. Nothing here can run one: the
// structures are <mach-o/loader.h>'s and <kern/cs_blobs.h>'s.
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mac '));
  const words = ['scripts/executable.mjs', '--output', folder, 'darwin-x64', 'darwin-arm64'];
  await promisify(execFile)(process.execPath, words);
});
afterAll(() => rm(folder, { recursive: true }));

const read = (target: string) => readFile(join(folder, `rolesanywhere-${target}`));

/** Where each load command begins, with its kind. */
function commands(program: Buffer): { readonly kind: number; readonly at: number }[] {
  const found = [];
  for (let at = 32; found.length < program.readUInt32LE(16); at += program.readUInt32LE(at + 4)) {
    found.push({ kind: program.readUInt32LE(at), at });
  }
  return found;
}

const signature = { kind: 0x1d };
const segment = { kind: 0x19 };

it('has no signature for Intel, and nothing behind its last segment', async () => {
  const program = await read('darwin-x64');
  const all = commands(program);
  expect(all).not.toContainEqual(expect.objectContaining(signature));
  const ends = all
    .filter(({ kind }) => kind === segment.kind)
    .map(({ at }) => Number(program.readBigUInt64LE(at + 40) + program.readBigUInt64LE(at + 48)));
  expect(Math.max(...ends)).toBe(program.length);
});

it('is signed for ARM, page by page', async () => {
  const program = await read('darwin-arm64');
  const at = commands(program).find(({ kind }) => kind === signature.kind)?.at ?? NaN;
  const blob = program.subarray(program.readUInt32LE(at + 8));
  const directory = blob.subarray(blob.readUInt32BE(16));
  expect(directory.readUInt32BE(0)).toBe(0xfade0c02);
  const [hashes, count, limit] = [16, 28, 32].map((field) => directory.readUInt32BE(field)) as [
    number,
    number,
    number,
  ];
  const page = 2 ** directory.readUInt8(39);
  expect(count).toBe(Math.ceil(limit / page));
  const wrong = Array.from({ length: count }, (_, index) => index).filter((index) => {
    const bytes = program.subarray(index * page, Math.min((index + 1) * page, limit));
    const stored = directory.subarray(hashes + index * 32, hashes + index * 32 + 32);
    return !createHash('sha256').update(bytes).digest().equals(stored);
  });
  expect(wrong).toEqual([]);
});
