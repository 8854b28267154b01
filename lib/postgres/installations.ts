import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, listFolder, realPath } from '../host/files.ts';
import { programEnvironment, run } from '../host/programs.ts';
import { copiesIn, copyOf, embeddedPackage, type OwnPrograms, provideCopy } from './embedded.ts';

/** The majors that this tool knows how to run. */
export const supportedMajors = { first: 13, last: 18 } as const;

/** Without these no instance can be made or run; for what others do there are ways of our own, or it cannot be done. */
const neededPrograms = ['postgres', 'initdb'] as const;

export type Program =
  | (typeof neededPrograms)[number]
  | 'pg_basebackup'
  | 'pg_verifybackup'
  | 'pg_waldump'
  | 'pg_checksums'
  | 'pg_controldata'
  | 'psql'
  | 'pg_dump'
  | 'pg_restore';

export interface Installation {
  /** The folder of the programs themselves, never of Debian's wrapper scripts. */
  bindir: string;
  major: number;
  /** As `postgres --version` says it: `15.18 (Debian 15.18-0+deb12u1)`. */
  version: string;
}

export interface Wish {
  bindir?: string | undefined;
  major?: number | undefined;
}

export function program({ bindir }: Pick<Installation, 'bindir'>, name: Program): string {
  return join(bindir, name);
}

/** Whether an installation has a program that not every one has. */
export function has(installation: Pick<Installation, 'bindir'>, name: Program): boolean {
  return exists(program(installation, name));
}

/** Where the client programs of a server's major may be: beside the server, else where packages of clients alone put them. */
export function clientFolders({ bindir, major }: Pick<Installation, 'bindir' | 'major'>): string[] {
  return [
    bindir,
    `/usr/lib/postgresql/${major}/bin`, // Debian
    `/usr/pgsql-${major}/bin`, // Red Hat (PGDG)
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
  ];
}

/**
 * The installation to use: what was asked for, else the newest complete one on the machine, else the one that comes with the
 * tool, of which the root is given a copy.
 * @throws NO_POSTGRES, saying what was found and how to install what is missing
 */
export async function chooseInstallation(wish: Wish, own: OwnPrograms, signal: AbortSignal): Promise<Installation> {
  if (wish.bindir !== undefined) return await namedInstallation(wish.bindir, wish.major, signal);
  const folders = await candidateFolders(signal);
  if (wish.major !== undefined) {
    // The folder's name tells the major on Debian and Red Hat: asking those first spares running every server there is.
    const named = folders.filter((folder) => folder.includes(String(wish.major)));
    for (const folder of named) {
      const found = await probe(folder, signal);
      if (found?.major === wish.major) return found;
    }
  }
  const found = await installationsIn(folders, signal);
  const chosen = found.find(({ major }) => wish.major === undefined || major === wish.major);
  if (chosen !== undefined) return chosen;
  const embedded = await chooseEmbedded(wish.major, own, signal);
  if (embedded !== undefined) return embedded;
  const wanted = wish.major === undefined ? 'PostgreSQL 13 to 18' : `PostgreSQL ${wish.major}`;
  const have = found.map(({ major, bindir }) => `${major} in ${bindir}`).join(', ');
  throw new AppError('NO_POSTGRES', `no complete ${wanted} on this machine${have ? ` (found: ${have})` : ''}`, {
    hint: `install it with: apt-get install postgresql${wish.major === undefined ? '' : `-${wish.major}`} — or name its folder with --bindir`,
  });
}

/**
 * The programs for data of one major version: those it was made with, while they are there and still of that major, else
 * any of that major on the machine. Of the releases that come with the tool it is the newest, as it is with a package manager.
 * @throws NO_POSTGRES
 */
export async function installationFor(
  { version: major, bindir }: { version: number; bindir: string },
  own: OwnPrograms,
  signal: AbortSignal,
): Promise<Installation> {
  const ours = bindir.startsWith(`${own.folder}/`) ? await chooseEmbedded(major, own, signal) : undefined;
  if (ours !== undefined) return ours;
  const same = await probe(bindir, signal);
  return same?.major === major ? same : await chooseInstallation({ major }, own, signal);
}

/** Every complete installation on the machine, newest first; then what comes with the tool. */
export async function findInstallations(
  own: Pick<OwnPrograms, 'folder'>,
  signal: AbortSignal,
): Promise<Installation[]> {
  const installed = await installationsIn(await candidateFolders(signal), signal);
  return [...installed, ...(await embeddedInstallations(own, signal))];
}

/** The newest release of a major that comes with the tool or came with it earlier; undefined where there is none. */
async function chooseEmbedded(
  major: number | undefined,
  own: OwnPrograms,
  signal: AbortSignal,
): Promise<Installation | undefined> {
  const shipped = embeddedPackage();
  if (shipped !== undefined && (major === undefined || shipped.major === major)) {
    await provideCopy(own, shipped, signal);
  }
  const known = (await embeddedInstallations(own, signal)).filter((one) => major === undefined || one.major === major);
  return known.find((one) => has(one, 'postgres')) ?? known[0];
}

/** The root's copies, newest first, and what would be copied, told by the package alone: it cannot be run where it lies. */
async function embeddedInstallations(own: Pick<OwnPrograms, 'folder'>, signal: AbortSignal): Promise<Installation[]> {
  const copies = await installationsIn(copiesIn(own.folder), signal);
  const shipped = embeddedPackage();
  if (shipped === undefined || exists(copyOf(own, shipped))) return copies;
  const { major, version } = shipped;
  return newestFirst([...copies, { bindir: copyOf(own, shipped), major, version }]);
}

async function installationsIn(folders: string[], signal: AbortSignal): Promise<Installation[]> {
  const found = await Promise.all(folders.map((folder) => probe(folder, signal)));
  return newestFirst(found.filter((one) => one !== undefined));
}

function newestFirst(installations: readonly Installation[]): Installation[] {
  return installations.toSorted((a, b) => compareVersions(b.version, a.version));
}

async function namedInstallation(
  bindir: string,
  major: number | undefined,
  signal: AbortSignal,
): Promise<Installation> {
  const found = await probe(bindir, signal);
  if (found === undefined) {
    const missing = neededPrograms.filter((name) => !exists(join(bindir, name)));
    throw new AppError('NO_POSTGRES', `${bindir} holds no complete PostgreSQL 13 to 18`, {
      hint: missing.length > 0 ? `missing there: ${missing.join(', ')}` : `try: ${join(bindir, 'postgres')} --version`,
    });
  }
  if (major !== undefined && found.major !== major) {
    throw new AppError('NO_POSTGRES', `${bindir} holds PostgreSQL ${found.major}, not ${major}`, {
      hint: 'leave out --bindir or --pg-version',
    });
  }
  return found;
}

/** The places where operators have PostgreSQL, real paths, each once. */
async function candidateFolders(signal: AbortSignal): Promise<string[]> {
  const versioned = [
    ...listFolder('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`), // Debian
    ...below('/usr', /^pgsql-\d+$/), // Red Hat (PGDG)
    ...below('/opt', /^(edb-)?(postgresql|pgsql)[-\d.]*$/),
    ...below('/opt/homebrew/opt', /^postgresql(@\d+)?$/),
    ...below('/usr/local/opt', /^postgresql(@\d+)?$/),
    ...below('/Applications/Postgres.app/Contents/Versions', /^\d+$/),
    '/usr/local/pgsql/bin',
  ];
  const onPath = (programEnvironment()['PATH'] ?? '').split(':').filter((folder) => exists(join(folder, 'postgres')));
  const configured = await pgConfigFolder(signal);
  const all = [...onPath, ...configured, ...versioned].flatMap((folder) => realFolder(folder) ?? []);
  return [...new Set(all)];
}

function below(folder: string, pattern: RegExp): string[] {
  return listFolder(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name, 'bin'));
}

/** The folder that a link to the server leads to; what Debian puts into /usr/bin leads to its wrapper, not to programs. */
function realFolder(folder: string): string | undefined {
  return realPath(join(folder, 'postgres'))?.replace(/\/postgres$/, '');
}

async function pgConfigFolder(signal: AbortSignal): Promise<string[]> {
  try {
    return [(await run('pg_config', ['--bindir'], { signal, timeoutMs: 5000 })).stdout.trim()];
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError) return [];
    throw error;
  }
}

async function probe(bindir: string, signal: AbortSignal): Promise<Installation | undefined> {
  if (neededPrograms.some((name) => !exists(join(bindir, name)))) return undefined;
  try {
    const { stdout } = await run(join(bindir, 'postgres'), ['--version'], { signal, timeoutMs: 5000 });
    const version = /\(PostgreSQL\) (.+)$/.exec(stdout.trim())?.[1];
    const major = Number.parseInt(version ?? '', 10);
    const known = major >= supportedMajors.first && major <= supportedMajors.last;
    // Before 15, no server takes a base backup by itself (its TARGET is new in that release).
    if (major < 15 && !exists(join(bindir, 'pg_basebackup'))) return undefined;
    return version !== undefined && known ? { bindir, major, version } : undefined;
  } catch (error) {
    signal.throwIfAborted(); // else an interrupt would be told as a PostgreSQL that is not there
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[. ]/).map((part) => Number.parseInt(part, 10) || 0));
  for (let i = 0; i < 2; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
