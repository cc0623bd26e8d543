// What the standalone executable begins with; on Node.js it is bin/rolesanywhere.js.
import { hostWord } from '../runtime/bun/pkcs11-parts.ts';
import { main } from './main.ts';

/** Of Bun (https://bun.com/reference/bun/unsafe/setJITPolicy), what is used here. */
declare const Bun: { readonly unsafe: { setJITPolicy(scale: number): void } };

// It starts reluctant to compile (scripts/executable.mjs): most runs are over before that pays. Others get over it.
setTimeout(() => {
  Bun.unsafe.setJITPolicy(1);
}, 100).unref();

const [word, ...others] = process.argv.slice(2);
if (word === hostWord && others.length === 1 && process.connected) {
  void import('../key/pkcs11/host.ts');
} else {
  void main(process.argv.slice(2)).then((code) => process.exit(code));
}
