import { EncodingError } from './encoding-error.ts';

/**
 * Deciphers RC2 in CBC mode (RFC 2268), without its padding: what OpenSSL before 3.0, Java and Windows hid the
 * certificates of PKCS#12 files with. It protects nothing; the OpenSSL inside Node no longer has it.
 *
 * @param effectiveBits how strong the key may be, whatever its length (RFC 2268, section 2)
 * @throws EncodingError when the data is not whole blocks
 */
export function decipherRc2Cbc(
  key: Uint8Array,
  effectiveBits: number,
  iv: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  if (data.length % 8 !== 0) throw new EncodingError('the encrypted data is not whole blocks');
  const expanded = expandKey(key, effectiveBits);
  const plain = new Uint8Array(data.length);
  const words = new Uint16Array(4);
  for (let offset = 0; offset < data.length; offset += 8) {
    const block = data.subarray(offset, offset + 8);
    const previous = offset === 0 ? iv : data.subarray(offset - 8, offset);
    words.forEach((_, index) => (words[index] = at(block, 2 * index) | (at(block, 2 * index + 1) << 8)));
    decipherBlock(words, expanded);
    words.forEach((word, index) => {
      plain[offset + 2 * index] = (word & 0xff) ^ at(previous, 2 * index);
      plain[offset + 2 * index + 1] = (word >> 8) ^ at(previous, 2 * index + 1);
    });
  }
  expanded.fill(0);
  return plain;
}

/** RFC 2268, section 4: the rounds backwards. */
function decipherBlock(words: Uint16Array, key: Uint16Array): void {
  let index = 63;
  const mix = () => {
    for (let i = 3; i >= 0; i -= 1, index -= 1) {
      const rotation = [1, 2, 3, 5][i] ?? 0;
      const word = at(words, i);
      const turned = (word >> rotation) | (word << (16 - rotation));
      const [one, two, three] = [at(words, (i + 3) % 4), at(words, (i + 2) % 4), at(words, (i + 1) % 4)];
      words[i] = turned - at(key, index) - (one & two) - (~one & three);
    }
  };
  const mash = () => {
    for (let i = 3; i >= 0; i -= 1) words[i] = at(words, i) - at(key, at(words, (i + 3) % 4) & 63);
  };
  for (let round = 15; round >= 0; round -= 1) {
    mix();
    if (round === 11 || round === 5) mash();
  }
}

/** RFC 2268, section 2 */
function expandKey(key: Uint8Array, effectiveBits: number): Uint16Array {
  const bytes = new Uint8Array(128);
  bytes.set(key);
  for (let i = key.length; i < 128; i += 1) {
    bytes[i] = at(piTable, (at(bytes, i - 1) + at(bytes, i - key.length)) & 0xff);
  }
  const length = Math.ceil(effectiveBits / 8);
  const mask = 0xff >> (8 * length - effectiveBits);
  bytes[128 - length] = at(piTable, at(bytes, 128 - length) & mask);
  for (let i = 127 - length; i >= 0; i -= 1) {
    bytes[i] = at(piTable, at(bytes, i + 1) ^ at(bytes, i + length));
  }
  const words = Uint16Array.from({ length: 64 }, (_, i) => at(bytes, 2 * i) | (at(bytes, 2 * i + 1) << 8));
  bytes.fill(0);
  return words;
}

function at(array: Uint8Array | Uint16Array, index: number): number {
  return array[index] ?? 0;
}

/** PITABLE: the digits of pi, as RFC 2268, section 2, gives them. */
const piTable = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2' +
    '179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec' +
    'c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9' +
    '0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
);
