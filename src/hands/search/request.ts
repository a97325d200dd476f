/** What the grep tool asks the search program, which is a process of its own (platform/host/search/search-program.ts). */
export interface SearchRequest {
  readonly pattern: string;
  readonly ignoreCase: boolean;
  /** Only files that it takes, by their path from `path` on. */
  readonly glob?: string | undefined;
  readonly path: string;
  /** What stands for `path` in the answer; empty for the workspace. */
  readonly shown: string;
}

/** How the search program ends when it could not search; its output then says why. Anything else is an end by force. */
export const EXIT_REFUSED = 2;
