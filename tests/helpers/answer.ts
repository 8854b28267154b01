import type { Document, Finished } from './cli.ts';

/** The data of a successful answer. @throws with everything the program said when it was not a success */
export function dataOf(finished: Finished): NonNullable<Document['data']> {
  const { ok, data } = finished.json();
  if (ok && finished.code === 0) return data;
  throw new Error(`exit status ${finished.code}\n${finished.stdout}\n${finished.stderr}`);
}
