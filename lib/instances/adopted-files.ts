import { isAbsolute, join } from 'node:path';
import * as z from 'zod';
import { exists, readJson, readText } from '../host/files.ts';
import { ensureFolder, removeFile } from '../host/folders.ts';
import { writeFileForGood, writeJson } from '../host/for-good.ts';
import { ownershipOf } from '../host/inspect.ts';
import type { Journal } from '../journal.ts';
import { withoutIncludes } from '../postgres/setting-place.ts';
import { planFile, planInclude } from '../tuning/render.ts';
import {
  asBlock,
  includeLine,
  ownAccessRules,
  ownConfiguration,
  recoveryConfiguration,
  renderIdent,
  withoutBlock,
} from './configure.ts';
import type { InstancePaths } from './places.ts';

const [mainFile, rulesFile, identFile] = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'] as const;

/** The files in the data directory that this tool writes or adds to. */
const names = [mainFile, rulesFile, identFile, ownConfiguration, planFile, recoveryConfiguration, 'current_logfiles'];

const keptSchema = z.array(z.object({ name: z.string(), text: z.string().nullable(), mode: z.number() }));

/** A file as it was before; null where there was none. */
type Kept = z.infer<typeof keptSchema>[number];

function keptFile({ folder }: Pick<InstancePaths, 'folder'>): string {
  return join(folder, 'adopted.json');
}

/** Settings that mean a place outside the data, or another manager: they do not come along into a copy of the configuration. */
const placed = ['data_directory', 'hba_file', 'ident_file', 'external_pid_file', 'stats_temp_directory'];

/** Where a cluster's configuration is read from. */
export interface Configuration {
  data: string;
  /** Holds postgresql.conf: the data directory, or a folder elsewhere. */
  folder: string;
  /** As the server is told, or beside postgresql.conf. */
  rules: string;
  ident: string;
}

export function filePlaces(data: string, folder: string, hbaFile: string, identFile_: string): Configuration {
  const place = (path: string, name: string): string =>
    path === '' ? join(folder, name) : isAbsolute(path) ? path : join(data, path);
  return { data, folder, rules: place(hbaFile, rulesFile), ident: place(identFile_, identFile) };
}

/** The files in the data directory, as they are. */
function present(data: string): Kept[] {
  return names.map((name) => {
    const path = join(data, name);
    return { name, text: readText(path) ?? null, mode: ownershipOf(path)?.mode ?? 0o600 };
  });
}

/**
 * Puts the configuration where this tool runs a server by it: its own text, and in front of its rules ours. What was there
 * before is kept in the instance's folder.
 */
export function bringConfiguration(journal: Journal, paths: InstancePaths, configuration: Configuration): void {
  const { data, folder } = configuration;
  const kept = present(data);
  writeJson(keptFile(paths), kept);
  journal.intend({
    kind: 'files',
    files: kept.map(({ name, text, mode }) => ({ path: join(data, name), text, mode })),
  });
  if (folder !== data) writeFileForGood(join(data, mainFile), copiedText(folder));
  writeFileForGood(join(data, rulesFile), asBlock(ownAccessRules(), readText(configuration.rules) ?? ''));
  writeFileForGood(join(data, identFile), asBlock(renderIdent(), readText(configuration.ident) ?? ''));
}

/** Complete in itself, so that backups hold all of it. */
function copiedText(folder: string): string {
  const file = join(folder, mainFile);
  const setting = new RegExp(`^\\s*(?:${placed.join('|')})\\s*=?\\s`, 'i');
  const lines = withoutIncludes(file)
    .split('\n')
    .map((line) => (setting.test(line) ? `# (not here) ${line}` : line));
  return [
    `# As ${file} was when the cluster was adopted, with all that it includes. This file is yours.`,
    ...lines,
  ].join('\n');
}

/**
 * Takes ours away again. A file that nobody else has changed meanwhile is what it was, byte for byte; otherwise what others
 * wrote stays. All files as they were until now are kept in the instance's folder.
 */
export function giveConfigurationBack(journal: Journal, paths: InstancePaths, data: string): void {
  const before = readJson(keptFile(paths), keptSchema) ?? [];
  const now = present(data);
  const copies = join(paths.folder, 'configuration');
  ensureFolder(copies);
  for (const { name, text } of now) if (text !== null) writeFileForGood(join(copies, name), text);
  journal.intend({ kind: 'files', files: now.map(({ name, text, mode }) => ({ path: join(data, name), text, mode })) });
  for (const { name, text, mode } of before) {
    const path = join(data, name);
    if (text === null) removeFile(path);
    else if (exists(path)) writeFileForGood(path, givenBack(text, readText(path) ?? ''), mode);
    else writeFileForGood(path, text, mode);
  }
}

/** Pure: a file's text without ours; its first text where that is all that has changed. */
export function givenBack(first: string, text: string): string {
  const includes = [includeLine, planInclude];
  const others = withoutBlock(text)
    .split('\n')
    .filter((line) => !includes.some((include) => line.trim().startsWith(include)))
    .join('\n');
  return others.trim() === first.trim() ? first : `${others.trim()}\n`;
}
