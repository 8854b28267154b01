/** How thoroughly a test restore is examined; each level does all of the one before. */
export const levels = ['quick', 'standard', 'full'] as const;
export type Level = (typeof levels)[number];

export interface VerifyOptions {
  level: Level;
  /** The operator's own invariants, as SQL, to be asked in the instance's database. */
  sql?: { file: string; text: string } | undefined;
}
