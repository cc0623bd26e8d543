/** Where the library tells what it does. It never prints by itself: the command line or the caller decides. */
export interface Reporter {
  /** Something the user should know or act on; the hint says what to do. Never a secret. */
  warn(message: string, hint?: string): void;
  /** That what was warned of has passed. */
  note?(message: string): void;
  /** A step, for `--debug`. Never a secret. */
  debug(message: string): void;
}

export const silent: Reporter = {
  warn: () => undefined,
  debug: () => undefined,
};
