import type { Check } from './catalogue.ts';

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

/** False for what depends on the archive behind the backup, when that was replayed too. */
export function isOfBackup({ name }: Check): boolean {
  return !/^(archived WAL|end of the archive|heartbeat|SQL of .*)$/.test(name);
}
