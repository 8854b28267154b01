import { dirname, join, resolve } from 'node:path';
import { listFolder, readText } from '../host/files.ts';

/** Where a setting stands. */
export interface SettingPlace {
  file: string;
  line: number;
}

/** A line of the configuration that sets something. */
export interface SettingLine extends SettingPlace {
  /** In lower case. */
  name: string;
  /** Without its quotes. */
  value: string;
}

/**
 * Where a data directory's configuration sets something: the last place, which is the one in force. postgresql.conf with
 * all that it includes, then postgresql.auto.conf, as the server reads them.
 */
export function settingPlace(dataDirectory: string, setting: string): SettingPlace | undefined {
  const found = settingLines(dataDirectory).findLast(({ name }) => name === setting.toLowerCase());
  return found && { file: found.file, line: found.line };
}

/** Every line of a data directory's configuration that sets something, in the server's order: the last one of a name wins. */
export function settingLines(dataDirectory: string): SettingLine[] {
  const files = ['postgresql.conf', 'postgresql.auto.conf'].map((name) => join(dataDirectory, name));
  return files.flatMap((file) => linesOf(file, 0));
}

/** The text of a configuration file with all that it includes in the place of each include, for a copy elsewhere. */
export function withoutIncludes(file: string, depth = 0): string {
  if (depth > deepest) return '';
  const lines = (readText(file) ?? '').split('\n');
  return lines
    .map((line) => {
      const [, word = '', value = ''] =
        /^\s*(include(?:_if_exists|_dir)?)\s*=?\s*('(?:[^']|'')*'|[^\s#]+)/i.exec(line) ?? [];
      if (word === '') return line;
      const path = resolve(dirname(file), unquote(value));
      const inner = /_dir$/i.test(word) ? confFilesIn(path) : [path];
      return [`# ${line.trim()}`, ...inner.map((one) => withoutIncludes(one, depth + 1).trimEnd())].join('\n');
    })
    .join('\n');
}

/** As deep as the server follows includes (CONF_FILE_MAX_DEPTH in PostgreSQL's conffiles.h). */
const deepest = 10;

function linesOf(file: string, depth: number): SettingLine[] {
  if (depth > deepest) return [];
  return (readText(file) ?? '').split('\n').flatMap((text, index): SettingLine[] => {
    const [, written = '', value = ''] = /^\s*([\w.]+)\s*=?\s*('(?:[^']|'')*'|[^\s#]*)/.exec(text) ?? [];
    const name = written.toLowerCase();
    const included = resolve(dirname(file), unquote(value));
    switch (name) {
      case '':
        return [];
      case 'include':
      case 'include_if_exists':
        return linesOf(included, depth + 1);
      case 'include_dir':
        return confFilesIn(included).flatMap((entry) => linesOf(entry, depth + 1));
      default:
        return [{ name, value: unquote(value), file, line: index + 1 }];
    }
  });
}

function confFilesIn(folder: string): string[] {
  return listFolder(folder)
    .filter((entry) => /^[^.].*\.conf$/.test(entry))
    .map((entry) => join(folder, entry));
}

/** A quote inside quotes is doubled. */
function unquote(value: string): string {
  return value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value;
}
