import { dirname, join, resolve } from 'node:path';
import { listFolder, readText } from '../host/files.ts';

/** Where a setting stands. */
export interface SettingPlace {
  file: string;
  line: number;
}

/**
 * Where a data directory's configuration sets something: the last place, which is the one in force. postgresql.conf with
 * all that it includes, then postgresql.auto.conf, as the server reads them.
 */
export function settingPlace(dataDirectory: string, setting: string): SettingPlace | undefined {
  const files = ['postgresql.conf', 'postgresql.auto.conf'].map((name) => join(dataDirectory, name));
  return files.flatMap((file) => placesIn(file, setting.toLowerCase(), 0)).at(-1);
}

/** As deep as the server follows includes (CONF_FILE_MAX_DEPTH in PostgreSQL's conffiles.h). */
const deepest = 10;

function placesIn(file: string, setting: string, depth: number): SettingPlace[] {
  if (depth > deepest) return [];
  return (readText(file) ?? '').split('\n').flatMap((text, index) => {
    const [, name = '', value = ''] = /^\s*([\w.]+)\s*=?\s*('(?:[^']|'')*'|[^\s#]*)/.exec(text) ?? [];
    const included = resolve(dirname(file), value.replace(/^'|'$/g, ''));
    switch (name.toLowerCase()) {
      case 'include':
      case 'include_if_exists':
        return placesIn(included, setting, depth + 1);
      case 'include_dir':
        return listFolder(included)
          .filter((entry) => /^[^.].*\.conf$/.test(entry))
          .flatMap((entry) => placesIn(join(included, entry), setting, depth + 1));
      case setting:
        return [{ file, line: index + 1 }];
      default:
        return [];
    }
  });
}
