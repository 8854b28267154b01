import { join } from 'node:path';
import { listFolder, readText } from '../host/files.ts';
import { sameName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { scheduleFolder } from './install.ts';
import { shellWord } from './plan.ts';

/** A script of a job, before and after an instance was renamed. */
export interface RenamedJob {
  path: string;
  before: string;
  after: string;
}

/** The jobs of this root that name an instance, as they are to be when it is called otherwise. Globs stay as they are. */
export function renamedJobs(places: Places, from: string, to: string): RenamedJob[] {
  const folder = scheduleFolder(places);
  return listFolder(folder)
    .map((name) => join(folder, name))
    .flatMap((path) => {
      const before = readText(path) ?? '';
      const after = renamedInScript(before, from, to);
      return after === before ? [] : [{ path, before, after }];
    });
}

/** Pure: a script with an instance's new name wherever a selector names it. */
export function renamedInScript(text: string, from: string, to: string): string {
  return text.replaceAll(/(--instance )('[^']*'|\S+)/g, (_, option: string, word: string) => {
    const parts = word.replaceAll("'", '').split(',');
    return option + shellWord(parts.map((part) => (sameName(part.trim(), from) ? to : part)).join(','));
  });
}
