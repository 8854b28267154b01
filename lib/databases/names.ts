import { AppError } from '../errors.ts';

/**
 * Names of roles and databases are cut at 63 bytes by the server, silently; `pg_` is the server's own.
 * @throws USAGE naming the option
 */
export function sqlName(option: string, text: string | undefined): string {
  if (text === undefined) {
    throw new AppError('USAGE', `--${option} is missing`, { hint: `say which: --${option} NAME` });
  }
  const fits = text.length > 0 && Buffer.byteLength(text) <= 63 && !text.startsWith('pg_') && !/[\0-\x1f]/.test(text);
  if (fits) return text;
  throw new AppError('USAGE', `--${option}: "${text}" cannot be a name`, {
    hint: 'at most 63 bytes, not beginning with pg_',
  });
}
