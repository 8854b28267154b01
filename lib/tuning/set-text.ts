import { AppError } from '../errors.ts';

/**
 * Reads `name=value,name='a, b'`: what stands in quotes may hold commas, and a quote in it is doubled.
 * @throws BAD_SETTING
 */
export function parseSettings(text: string): Record<string, string> {
  const parts = text.match(/(?:'(?:[^']|'')*'|[^,'])+/g) ?? [];
  if (parts.join(',') !== text) throw notSettings(text);
  return Object.fromEntries(
    parts.map((part) => {
      const equals = part.indexOf('=');
      if (equals < 1) throw notSettings(part);
      return [part.slice(0, equals).trim(), unquoted(part.slice(equals + 1).trim())];
    }),
  );
}

/** The text that `parseSettings` reads as these. */
export function spellSettings(settings: Readonly<Record<string, string>>): string {
  const spelt = (value: string): string => (/[,']/.test(value) ? `'${value.replaceAll("'", "''")}'` : value);
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${spelt(value)}`)
    .join(',');
}

function unquoted(value: string): string {
  return /^'.*'$/s.test(value) ? value.slice(1, -1).replaceAll("''", "'") : value;
}

function notSettings(text: string): AppError {
  return new AppError('BAD_SETTING', `"${text}" is no setting`, {
    hint: "write it as --set name=value, or with commas in it as --set name='a, b'",
  });
}
