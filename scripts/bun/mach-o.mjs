// Of Mach-O (<mach-o/loader.h>), what it takes to remove a signature.
const headerBytes = 32;
const segmentCommand = 0x19;
const signatureCommand = 0x1d;

/**
 * The program without its code signature. Bun's compiler signs what it makes for ARM; what it makes for Intel keeps the
 * runtime's own signature, which no longer fits, and macOS would end that: without any it runs.
 *
 * @param {Buffer} program 64 bits, little-endian; its signature is at its end
 */
export function withoutSignature(program) {
  const bytes = Buffer.from(program);
  const count = bytes.readUInt32LE(16);
  let at = headerBytes;
  let linkEdit;
  for (let left = count; left > 1; left--) {
    const isLinkEdit = bytes.toString('latin1', at + 8, at + 18) === '__LINKEDIT';
    if (bytes.readUInt32LE(at) === segmentCommand && isLinkEdit) linkEdit = at;
    at += bytes.readUInt32LE(at + 4);
  }
  const [kind, length] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  const [start, size] = [bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 12)];
  if (kind !== signatureCommand || linkEdit === undefined || start + size !== bytes.length) {
    throw new Error('the signature is not where this expects it: see scripts/bun/mach-o.mjs');
  }
  bytes.fill(0, at, at + length);
  bytes.writeUInt32LE(count - 1, 16);
  bytes.writeUInt32LE(bytes.readUInt32LE(20) - length, 20);
  // The segment's filesize; its room in memory may stay.
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(linkEdit + 48) - BigInt(size), linkEdit + 48);
  return bytes.subarray(0, start);
}
