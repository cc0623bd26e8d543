// Whose code is in what we build: its licences ask to travel with it.
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The folder of the package that a file of esbuild's metafile belongs to: `node_modules/@a/b/node_modules/c/lib/x.js`
 * lies in `node_modules/@a/b/node_modules/c`. Undefined of a file of our own.
 */
export function packageFolder(file) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

/** Name, version, licence and its text of each package, in the order of their folders. */
export function describePackages(folders) {
  return Promise.all(
    [...folders].sort().map(async (folder) => {
      const directory = path.join(root, folder);
      const { name, version, license } = JSON.parse(
        await readFile(path.join(directory, 'package.json'), 'utf8'),
      );
      const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? '' : (await readFile(path.join(directory, file), 'utf8')).trim();
      return { name, version, license, text };
    }),
  );
}

/** One text of them all, in which each licence stands once. */
export function licenceTexts(packages) {
  const texts = new Map();
  for (const { name, version, license, text } of packages) {
    texts.set(text, [...(texts.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  return [...texts]
    .map(([text, names]) => `${names.join('\n')}\n\n${text}\n`)
    .join(`\n${'-'.repeat(80)}\n\n`);
}
