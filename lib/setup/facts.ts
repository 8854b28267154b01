import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { observeDisks, type Place } from '../diagnosis/disk.ts';
import { type MachineFacts } from '../diagnosis/machine.ts';
import { observeMachine } from '../diagnosis/machine-facts.ts';
import { exists } from '../host/files.ts';
import { findProgram, run } from '../host/programs.ts';
import { calledByRoot, dataOwner } from '../host/users.ts';
import type { Places } from '../instances/places.ts';
import { findPgbouncer } from '../pooler/program.ts';
import { findInstallations, has, type Installation } from '../postgres/installations.ts';
import { chooseScheduler, type Scheduler } from '../schedule/system.ts';
import { type Manager, managers } from './packages.ts';

/** What was seen of a machine on which instances are to live. */
export interface SetupFacts {
  root: boolean;
  node: string;
  account: { name: string; uid: number };
  /** The folders that are to be there, and whether they are. */
  folders: { path: string; mode: number; there: boolean }[];
  /** The newest first; those that npm has brought are in `ours`. */
  installations: readonly Installation[];
  ours: string;
  /** Programs and extensions that the newest one has not. */
  lacking: string[];
  pgbouncer: string | undefined;
  missing: readonly string[];
  scheduler: Scheduler | undefined;
  /** Undefined where nobody says (no `locale` here). */
  locale: boolean | undefined;
  machine: MachineFacts;
  disks: readonly Place[];
  manager: Manager | undefined;
}

/** Looks, and changes nothing. */
export async function observeSetup(places: Places, budgetShare: number, signal: AbortSignal): Promise<SetupFacts> {
  const installations = await findInstallations({ folder: places.programs }, signal);
  const known = { places, installations, records: [], leases: [], budgetShare };
  return {
    root: calledByRoot(),
    node: process.versions.node,
    account: dataOwner(),
    folders: foldersOf(places).map(({ path, mode }) => ({ path, mode, there: exists(path) })),
    installations,
    ours: places.programs,
    lacking: lackingOf(installations[0]),
    pgbouncer: await quietly(async () => (await findPgbouncer(signal)).version, signal),
    missing: ['tar', 'zstd', 'lz4'].filter((name) => findProgram(name) === undefined),
    scheduler: await quietly(async () => await Promise.resolve(chooseScheduler(undefined)), signal),
    locale: await hasLocale(signal),
    machine: await observeMachine(known, signal),
    disks: observeDisks(places),
    manager: managers.find((name) => findProgram(name) !== undefined),
  };
}

/** The folders of a root, and the one that all roots of the host share. */
export function foldersOf(places: Places): { path: string; mode: number }[] {
  return [
    { path: places.root, mode: 0o755 },
    { path: places.instances, mode: 0o755 },
    { path: places.repository, mode: 0o755 },
    { path: places.host, mode: 0o1777 },
  ];
}

const wantedPrograms = ['psql', 'pg_dump', 'pg_restore'] as const;
const wantedExtensions = ['amcheck', 'pg_stat_statements'] as const;

function lackingOf(installation: Installation | undefined): string[] {
  if (installation === undefined) return [];
  const { bindir, major } = installation;
  const shared = [
    `/usr/share/postgresql/${major}`, // Debian
    join(bindir, '../share'),
    join(bindir, '../share/postgresql'),
    `/usr/share/postgresql${major}`, // Alpine
    '/usr/share/pgsql', // Red Hat
  ];
  const hasExtension = (name: string): boolean =>
    shared.some((folder) => exists(join(folder, 'extension', `${name}.control`)));
  return [
    ...wantedPrograms.filter((name) => !has(installation, name)),
    ...wantedExtensions.filter((name) => !hasExtension(name)),
  ];
}

/** The locale of new databases (see create). */
async function hasLocale(signal: AbortSignal): Promise<boolean | undefined> {
  const listed = await quietly(async () => await run('locale', ['-a'], { signal, timeoutMs: 10_000 }), signal);
  return listed && /^C\.utf-?8$/im.test(listed.stdout);
}

async function quietly<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
