// Takes the environment's say over a runtime away, in the runtime's own bytes.

/**
 * BUN_BE_BUN would make the executable a Bun, BUN_OPTIONS would preload any script. Bun asks getenv(3) for these by names
 * that stand in it as C strings; an empty name is never set.
 */
export function seal(bun) {
  const names = new Set();
  for (const start of occurrences(bun, '\0BUN_')) {
    const name = /^[A-Z0-9_]+(?=\0)/.exec(bun.toString('latin1', start + 1, start + 80))?.[0];
    if (name === undefined) continue;
    names.add(name);
    bun[start + 1] = 0;
  }
  for (const name of ['BUN_BE_BUN', 'BUN_OPTIONS', 'BUN_INSPECT', 'BUN_INSPECT_PRELOAD']) {
    if (!names.has(name)) throw new Error(`${name} is no C string in this Bun: see scripts/bun/seal.mjs`);
  }
  // These it looks for in its own copy of the environment, by names that stand in it one behind the other: they would show
  // the headers of what we send, or leave it a byte of memory. A dot is before those in its JavaScript.
  for (const family of ['BUN_CONFIG_', 'BUN_FEATURE_FLAG_', 'BUN_GARBAGE_', 'BUN_GC_']) {
    for (const start of occurrences(bun, family)) {
      if (bun.toString('latin1', start - 1, start) !== '.') bun[start] = 0;
    }
  }
  sealEngine(bun);
}

function* occurrences(bytes, text) {
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1)) yield at;
}

/**
 * The JavaScript engine takes options from every variable whose name begins with BUN_JSC_; one of them,
 * `functionOverrides`, is a file of other bodies for functions. Bun compares the beginning byte by byte, in code: a compare
 * and a branch that leads to the next variable unless they are equal. Here the first branch leads there in any case.
 */
function sealEngine(bun) {
  const found = [...comparisonsX64(bun, 'BUN_JSC_'), ...comparisonsArm64(bun, 'BUN_JSC_')];
  if (found.length !== 1) {
    throw new Error(`${found.length} places compare with BUN_JSC_ in this Bun: see scripts/bun/seal.mjs`);
  }
  found[0]();
}

/** `cmpb $'B', (R); jne NEXT; cmpb $'U', 1(R); jne NEXT; …`: yields what makes a `jmp` of the first `jne`. */
function* comparisonsX64(bytes, text) {
  const compares = [...text].map((character, i) =>
    i === 0 ? `\\x80[\\x38-\\x3f]${character}` : `\\x41?\\x80[\\x78-\\x7f]\\x0${i}${character}`,
  );
  const pattern = new RegExp(compares.join('\\x75[^]'), 'g');
  for (const { 0: code, index } of bytes.toString('latin1').matchAll(pattern)) {
    yield () => {
      bytes[index + code.indexOf('\x75')] = 0xeb;
    };
  }
}

/** `ldrb W, [X]; cmp W, #'B'; b.ne NEXT; ldrb W, [X, #1]; cmp W, #'U'; b.ne NEXT; …`: the same. */
function* comparisonsArm64(bytes, text) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  // Everything but the register.
  const isCompare = (word, character) =>
    (word & 0xff_ff_fc_1f) >>> 0 === (0x71_00_00_1f | (character.charCodeAt(0) << 10)) >>> 0;
  const isBranch = (word) => (word & 0xff_00_00_1f) >>> 0 === 0x54_00_00_01;
  for (let i = 0; i < words.length; i++) {
    if (!isCompare(words[i], text[0])) continue;
    const isAll = [...text].every(
      (character, k) =>
        isCompare(words[i + 3 * k], character) && (k === text.length - 1 || isBranch(words[i + 3 * k + 1])),
    );
    if (!isAll) continue;
    yield () => {
      const distance = (words[i + 1] << 8) >> 13;
      words[i + 1] = 0x14_00_00_00 | (distance & 0x03_ff_ff_ff);
    };
  }
}
