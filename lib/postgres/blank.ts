import { createHash, randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { cacheFolder } from '../host/cache.ts';
import { nowMs } from '../host/clock.ts';
import { copyTreeUnsynced, treeSize } from '../host/copy-tree.ts';
import { fileSize, fingerprint, listFolder, modifiedMs, readJson, readText, sha256 } from '../host/files.ts';
import { makeFolder, removeFolder, touch } from '../host/folders.ts';
import { moveForGood, writeJson } from '../host/for-good.ts';
import { acquire } from '../host/locks.ts';
import { giveIdentity, type Identity, readIdentity } from './identity.ts';
import { initdb, type InitdbOptions } from './initdb.ts';
import { type Installation, program } from './installations.ts';

/** A data directory as initdb leaves it, kept to be copied. */
interface Blank {
  folder: string;
  /** How much it held when it was made: whoever tidies a cache may take files out of it. */
  size: z.infer<typeof sizeSchema>;
}

const sizeSchema = z.object({ files: z.number(), bytes: z.number() });
const sizeFile = 'size.json';
const unusedMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Makes a data directory as initdb does, in a fraction of its time: initdb runs once for each installation and locale, into
 * the cache of the account that owns the data, and each instance gets a copy of that blank with an identity of its own. Where
 * there can be no blank, or it is not as it should be, initdb runs into the data directory itself.
 * The files are not synced here (see `syncDataDirectory`).
 * @throws PROGRAM_FAILED with initdb's own words
 */
export async function makeDataDirectory(installation: Installation, options: InitdbOptions): Promise<void> {
  const blank = await findOrMakeBlank(installation, options);
  const identity = blank && identityOf(blank);
  if (blank === undefined || identity === undefined) return await initdb(installation, options);
  copyTreeUnsynced(join(blank.folder, 'data'), options.dataDirectory, options.signal);
  giveIdentity(options.dataDirectory, identity);
}

/** Undefined for a blank that is damaged; the next instance's initdb makes another. */
function identityOf({ folder, size }: Blank): Identity | undefined {
  const data = join(folder, 'data');
  const there = treeSize(data);
  const identity = there.files === size.files && there.bytes === size.bytes ? readIdentity(data) : undefined;
  if (identity === undefined) moveForGood(folder, stagingIn(dirname(folder)));
  return identity;
}

/** What bears such a name is for the next `sweep`. */
function stagingIn(cache: string): string {
  return join(cache, `.${randomBytes(6).toString('hex')}`);
}

/** Undefined when none can be made; that may be for a reason that initdb tells better where it is meant to work. */
async function findOrMakeBlank(installation: Installation, options: InitdbOptions): Promise<Blank | undefined> {
  const key = await keyOf(installation, options.locale);
  const cache = key === undefined ? undefined : cacheFolder('blanks');
  if (key === undefined || cache === undefined) return undefined;
  const folder = join(cache, key);
  try {
    return readBlank(folder) ?? (await makeBlank(cache, folder, installation, options));
  } catch {
    options.signal.throwIfAborted();
    return undefined;
  }
}

function readBlank(folder: string): Blank | undefined {
  const size = readJson(join(folder, sizeFile), sizeSchema);
  if (size === undefined) return undefined;
  touch(folder);
  return { folder, size };
}

/** Of many that find none, one makes it: the others are done sooner by waiting than beside it. */
async function makeBlank(
  cache: string,
  folder: string,
  installation: Installation,
  options: InitdbOptions,
): Promise<Blank | undefined> {
  const lock = await acquire({
    folder: join(cache, 'lock'),
    mode: 'exclusive',
    subject: `the cache ${cache}`,
    action: 'initdb',
    timeoutMs: 300_000,
    signal: options.signal,
  });
  const staging = stagingIn(cache);
  try {
    const made = readBlank(folder);
    if (made !== undefined) return made;
    await sweep(cache);
    makeFolder(staging);
    const data = join(staging, 'data');
    await initdb(installation, { ...options, dataDirectory: data, sync: true });
    writeJson(join(staging, sizeFile), treeSize(data));
    moveForGood(staging, folder);
    return readBlank(folder);
  } finally {
    await removeFolder(staging);
    lock.release();
  }
}

/** What a killed process has begun, as nobody else makes one now; and what nobody has used for long. */
async function sweep(cache: string): Promise<void> {
  for (const name of listFolder(cache)) {
    const idleMs = nowMs() - (modifiedMs(join(cache, name)) ?? 0);
    if (name.startsWith('.') || (name !== 'lock' && idleMs > unusedMs)) await removeFolder(join(cache, name));
  }
}

/**
 * What decides how initdb's work looks: the programs (each build of initdb is a file of its own; a root's copy of the
 * embedded PostgreSQL is the same build in every root), the C library and the system's locales, and the options. Another
 * minor version, a locale that was added or an update of the C library (whose version each collation records) asks for a
 * new blank. Undefined on a system that does not say.
 */
async function keyOf(installation: Installation, locale: string | undefined): Promise<string | undefined> {
  const library = readText('/proc/self/maps')?.match(/\/\S*\/(?:libc|ld-musl)[-.]\S*$/m)?.[0];
  if (library === undefined) return undefined;
  const [server, maker] = [program(installation, 'postgres'), program(installation, 'initdb')];
  const build = [installation.version, fileSize(server), await sha256(maker)];
  const system = [library, '/usr/lib/locale', '/usr/lib/locale/locale-archive'].map(fingerprint);
  const parts = createHash('sha256').update(JSON.stringify([build, system, locale ?? null]));
  return `${installation.major}-${parts.digest('hex').slice(0, 24)}`;
}
