/**
 * The candidate that was most likely meant by a mistyped word: a unique beginning ("prod" for "production"), or the fewest
 * mistakes (a letter missing, extra, wrong, or two swapped). Undefined when none is near enough to be worth suggesting.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const typed = word.toLowerCase();
  const known = [...candidates];
  const begun = known.filter((candidate) => typed.length >= 3 && candidate.toLowerCase().startsWith(typed));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  // One mistake in every three letters, and never the whole word.
  let fewest = Math.min(typed.length - 1, Math.max(1, Math.floor(typed.length / 3)));
  for (const candidate of known) {
    const mistakes = mistakesBetween(typed, candidate.toLowerCase());
    if (mistakes < fewest || (mistakes === fewest && best === undefined)) [best, fewest] = [candidate, mistakes];
  }
  return best;
}

/** Optimal string alignment: the Levenshtein distance, with two swapped neighbours as one mistake. */
function mistakesBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let mistakes = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) mistakes = Math.min(mistakes, beforeLast[column - 2]! + 1);
      current.push(mistakes);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length]!;
}
