const redacted = '[redacted]';

/**
 * A value that must not be printed. Wherever it lands by accident (a template, JSON, `util.inspect`) it reads
 * `[redacted]`; only `expose()` gives it out, so that every use of a secret can be found by that one word.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  expose(): T {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return redacted;
  }
}
