import { AppError } from '../errors.ts';

/** A whole number of bytes, made by `parseSize` or `bytes`. */
export type Bytes = number & { readonly __unit: 'bytes' };

/** PostgreSQL's memory units (doc "Parameter Names and Values"): 1 kB is 1024 bytes. */
const units = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const;
export type SizeUnit = keyof typeof units;

const unitNames = Object.keys(units) as SizeUnit[];
const sizeForm = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;

export const MB = units.MB;
export const GB = units.GB;

/** Rounds down to whole bytes. */
export function bytes(count: number): Bytes {
  return Math.floor(count) as Bytes;
}

/**
 * Reads `4GB`, `1.5 gb`, `64kB`; a bare number counts in `bareUnitBytes` (PostgreSQL's own settings count in kB or 8 kB).
 * @throws BAD_SETTING for anything else, and for sizes too large to count exactly
 */
export function parseSize(text: string, bareUnitBytes = 1): Bytes {
  const [, digits, suffix] = sizeForm.exec(text.trim()) ?? [];
  const unitBytes = suffix === '' ? bareUnitBytes : units[unitNamed(suffix) ?? 'B'];
  const size = Math.round(Number(digits) * unitBytes);
  if (digits === undefined || (suffix !== '' && unitNamed(suffix) === undefined) || !Number.isSafeInteger(size)) {
    throw new AppError('BAD_SETTING', `"${text}" is not a size`, {
      hint: 'write a number with a unit: 512MB, 4GB (units: B, kB, MB, GB, TB; 1kB is 1024 bytes)',
    });
  }
  return size as Bytes;
}

function unitNamed(suffix: string | undefined): SizeUnit | undefined {
  return unitNames.find((unit) => unit.toLowerCase() === suffix?.toLowerCase());
}

/** A size with its unit as PostgreSQL spells it ("64 mb" becomes "64MB"): the server is strict about case. */
export function spellSize(text: string): string {
  const [, digits, suffix] = sizeForm.exec(text.trim()) ?? [];
  return digits === undefined ? text : `${digits}${unitNamed(suffix) ?? suffix}`;
}

/** Exact, as postgresql.conf takes it: the largest unit that divides evenly. */
export function formatSize(sizeBytes: number): string {
  if (sizeBytes === 0) return '0';
  const unit = unitNames.findLast((name) => sizeBytes % units[name] === 0) ?? 'B';
  return `${sizeBytes / units[unit]}${unit}`;
}

/** For people: at most one decimal, `1.5 GB`. */
export function humanBytes(sizeBytes: number): string {
  // 1023.96 MB would be shown as "1024 MB", so it counts as a gigabyte already.
  const unit = unitNames.findLast((name) => Math.abs(sizeBytes) >= units[name] * 0.99995) ?? 'B';
  return `${Math.round((sizeBytes / units[unit]) * 10) / 10} ${unit}`;
}
