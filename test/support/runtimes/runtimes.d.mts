export interface Runtime {
  /** The version, as `20.19.0`. */
  readonly name: string;
  /** The absolute path of its `node`. */
  readonly path: string;
}

export declare function runtimes(): Runtime[];
export declare function fetchRuntimes(): Promise<void>;
