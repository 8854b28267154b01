import { isOff } from './guards.ts';
import { parseSize } from './sizes.ts';

/** A row of pg_settings, as far as it tells which value is in force. */
export interface EffectiveSetting {
  name: string;
  setting: string;
  unit: string | null;
  vartype: string;
}

const milliseconds: Record<string, number> = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** True when the server's value is what was written, in whatever unit and words each of them counts. */
export function isInForce(written: string, { setting, unit, vartype }: EffectiveSetting): boolean {
  switch (vartype) {
    case 'bool':
      return truth(written) === truth(setting);
    case 'integer':
    case 'real':
      return nearlySame(inUnit(written, unit), Number(setting));
    case 'enum':
      return written.toLowerCase() === setting.toLowerCase() || isOtherWord(written, setting);
    default:
      return written === setting;
  }
}

/** PostgreSQL takes any unambiguous beginning of the words. */
function truth(word: string): boolean {
  return /^(on|t|tr|tru|true|y|ye|yes|1)$/i.test(word.trim());
}

/** Where on and off were the only words once, they still stand for one of the new ones: wal_compression = on is pglz. */
function isOtherWord(written: string, setting: string): boolean {
  return truth(written) ? setting !== 'off' : isOff(written) && setting === 'off';
}

/** A number in the unit that pg_settings counts in: `8kB`, `ms` … */
function inUnit(written: string, unit: string | null): number {
  const text = written.trim();
  if (unit === null || /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  const [, digits = '', suffix = ''] = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]+)$/.exec(text) ?? [];
  const writtenMs = milliseconds[suffix];
  const unitMs = milliseconds[unit];
  if (writtenMs !== undefined && unitMs !== undefined) return (Number(digits) * writtenMs) / unitMs;
  const [, count = '', size = ''] = /^(\d*)(\w+)$/.exec(unit) ?? [];
  return parseSize(text) / parseSize(`${count || 1}${size}`);
}

/** The server keeps whole units, and real numbers as it rounds them. */
function nearlySame(a: number, b: number): boolean {
  return Math.abs(a - b) <= Math.max(1e-6, Math.abs(b) * 1e-6) || Math.round(a) === b;
}
