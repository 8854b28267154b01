import { AppError } from '../errors.ts';
import { syncFolder } from '../host/for-good.ts';
import { findProgram, run } from '../host/programs.ts';
import { type Codec, suffixOf, unpackerOf } from '../postgres/codecs.ts';
import type { Installation } from '../postgres/installations.ts';
import type { Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';

/**
 * The codec to compress with: what was asked for, else the best that the server was built with and this machine can unpack.
 * @throws USAGE when what was asked for cannot be done here
 */
export async function chooseCodec(
  client: Client,
  installation: Installation,
  wanted: Codec | undefined,
): Promise<Codec> {
  const possible = await possibleCodecs(client, installation);
  if (wanted === undefined) return possible[0] ?? 'none';
  if (possible.includes(wanted)) return wanted;
  throw new AppError(
    'USAGE',
    `${wanted} cannot be used here: the server must be built with it, and the program be installed`,
    {
      hint: `possible here: ${possible.join(', ')}${wanted === 'zstd' || wanted === 'lz4' ? `; or: apt-get install ${wanted}` : ''}`,
    },
  );
}

async function possibleCodecs(client: Client, { major }: Installation): Promise<Codec[]> {
  const built = major >= 15 ? await builtIn(client) : [];
  const wished: Codec[] = ['zstd', 'lz4', 'gzip'];
  const offered = wished.filter((codec) => codec === 'gzip' || built.includes(codec));
  return [...offered.filter((codec) => findProgram(unpackerOf[codec] ?? codec) !== undefined), 'none'];
}

/** wal_compression offers just the libraries that the server was built with (PostgreSQL 15 and later). */
async function builtIn(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ methods: string[] | null }>(
    "select enumvals as methods from pg_settings where name = 'wal_compression'",
  );
  return rows[0]?.methods ?? [];
}

/** Puts a compressed file, synced, in the place of one that was written plainly. */
export async function compressFile(file: string, codec: Codec, task: Task): Promise<void> {
  const compressor = unpackerOf[codec];
  if (compressor === undefined) return;
  const target = `${file}${suffixOf[codec]}`;
  const args = { zstd: ['--rm', file], lz4: ['--rm', file, target], gzip: [file], none: [] }[codec];
  await run(compressor, ['-1', '-q', ...args], { signal: task.signal, timeoutMs: 24 * 60 * 60 * 1000 });
  syncFolder(target); // fsync is the same for files
}
