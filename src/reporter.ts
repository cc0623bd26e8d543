/** Where the library tells what it does. It never prints by itself: the command line or the caller decides. */
export interface Reporter {
  /** Something the user should know or act on; the hint says what to do. Never a secret. */
  warn(message: string, hint?: string): void;
  /** That something goes as it should, or does so again. */
  note?(message: string): void;
  /** A step, for `--debug`. Never a secret. */
  debug(message: string): void;
}

export const silent: Reporter = {
  warn: () => undefined,
  debug: () => undefined,
};
