import type { Check } from './catalogue.ts';
import type { Level } from './levels.ts';

/**
 * Checks that fail for other reasons than damaged bytes: WAL of a tablespace that a copy must not touch, a row that was not
 * archived in time, an archive that ends early, an operator's own invariants.
 */
const otherReasons = /^(tablespaces|heartbeat|end of the archive|SQL of .*)$/;

/** What failed checks tell of damaged bytes, naming file or relation; WAL that is merely missing is a gap, and no damage. */
export function damageIn(failed: readonly Check[]): string[] {
  return failed.flatMap(({ name, detail }) => {
    if (otherReasons.test(name)) return [];
    if (name !== 'archived WAL') return [`${name}: ${detail}`];
    const damaged = detail.split('; ').filter((part) => !/ is missing$|^and \d+ more$/.test(part));
    return damaged.length === 0 ? [] : [`${name}: ${damaged.join('; ')}`];
  });
}

/**
 * Whether failed checks speak against the backup, and not only against the archive behind it. Where that was replayed too (at
 * the level `full`), a server that did not start may have met its damaged WAL, and a row may be missing because of it.
 */
export function speaksAgainstBackup(failed: readonly Check[], level: Level): boolean {
  if (level !== 'full') return failed.some(({ name }) => name !== 'archived WAL');
  const walFailed = failed.some(({ name }) => name === 'archived WAL');
  const ofArchive = /^(archived WAL|end of the archive|heartbeat|SQL of .*)$/;
  return failed.some(({ name }) => !ofArchive.test(name) && !(walFailed && name === 'test restore'));
}
