export function seal(bun: Buffer): void;
