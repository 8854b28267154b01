import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { chunksOf, exists, fileSize, isFolderBehindLinks, listFolder, readText } from '../host/files.ts';
import { breathing } from '../host/wait.ts';
import { crc32c } from './crc32c.ts';
import { systemIdentifierOf } from './postmaster.ts';

const listedSchema = z.object({
  Path: z.string().optional(),
  /** The bytes of a path that is no UTF-8, in hex. */
  'Encoded-Path': z.string().optional(),
  Size: z.number(),
  'Checksum-Algorithm': z.enum(['CRC32C', 'SHA224', 'SHA256', 'SHA384', 'SHA512']).optional(),
  Checksum: z.string().optional(),
});

type Listed = z.output<typeof listedSchema>;
type Breathe = ReturnType<typeof breathing>;

const manifestSchema = z.object({ Files: z.array(listedSchema) });

/** What is no part of a base backup, or was changed when it was unpacked; the WAL has checksums of its own. */
const apart = new Set(
  'backup_manifest tablespace_map pg_wal postgresql.auto.conf recovery.signal standby.signal'.split(' '),
);

/**
 * What in an unpacked backup is not as its manifest says: a file that is missing, has another size or other bytes, or is not
 * in the manifest; or the manifest itself (PostgreSQL's documentation, "Backup Manifest Format" and "pg_verifybackup").
 */
export async function findWrong(dataDirectory: string, signal: AbortSignal): Promise<string[]> {
  const text = readText(join(dataDirectory, 'backup_manifest'));
  if (text === undefined) return ['backup_manifest is missing'];
  const damage = damageOf(text);
  if (damage !== undefined) return [damage];
  const listed = manifestSchema.parse(JSON.parse(text)).Files.filter((file) => !isApart(pathOf(file)));
  const known = new Set(listed.map(pathOf));
  const unknown = filesBelow(dataDirectory).filter((path) => !known.has(path));
  const wrong = [...foreign(text, dataDirectory), ...unknown.map((path) => `"${path}" is not in the manifest`)];
  const breathe = breathing(signal);
  for (const file of listed) {
    const found = await compare(dataDirectory, file, breathe);
    if (found !== undefined) wrong.push(found);
  }
  return wrong;
}

/** The last line holds the SHA-256 of all before it. */
function damageOf(text: string): string | undefined {
  const at = text.lastIndexOf('"Manifest-Checksum"');
  const told = /^"Manifest-Checksum": "([0-9a-f]{64})"\}\s*$/.exec(text.slice(Math.max(at, 0)))?.[1];
  if (at < 0 || told === undefined) return 'backup_manifest has no checksum at its end';
  const sum = createHash('sha256').update(text.slice(0, at)).digest('hex');
  return sum === told ? undefined : 'backup_manifest does not agree with its own checksum';
}

/** The number of 64 bits is read as text; manifests before PostgreSQL 17 have none. */
function foreign(text: string, dataDirectory: string): string[] {
  const told = /^"System-Identifier": (\d+)/m.exec(text)?.[1];
  const actual = systemIdentifierOf(dataDirectory);
  return told === undefined || told === actual ? [] : [`the manifest is of system ${told}, the data of ${actual}`];
}

function pathOf(file: Listed): string {
  return file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('latin1');
}

function isApart(path: string): boolean {
  return apart.has(path.split('/', 1)[0] ?? '');
}

/** Through the links of tablespaces, as the manifest names what is behind them. */
function filesBelow(dataDirectory: string, below = ''): string[] {
  return listFolder(join(dataDirectory, below)).flatMap((name) => {
    const path = join(below, name);
    if (isApart(path)) return [];
    return isFolderBehindLinks(join(dataDirectory, path)) ? filesBelow(dataDirectory, path) : [path];
  });
}

async function compare(dataDirectory: string, file: Listed, breathe: Breathe): Promise<string | undefined> {
  const path = pathOf(file);
  const place = join(dataDirectory, path);
  if (!exists(place)) return `"${path}" is in the manifest but not in the backup`;
  const size = fileSize(place);
  if (size !== file.Size) return `"${path}" has ${size} bytes, ${file.Size} in the manifest`;
  if (file['Checksum-Algorithm'] === undefined) return undefined;
  const sum = await checksum(place, file['Checksum-Algorithm'], breathe);
  return sum === file.Checksum ? undefined : `checksum mismatch for file "${path}"`;
}

async function checksum(place: string, algorithm: string, breathe: Breathe): Promise<string> {
  const hash = algorithm === 'CRC32C' ? undefined : createHash(algorithm.toLowerCase());
  let sum = 0;
  for (const chunk of chunksOf(place)) {
    if (hash === undefined) sum = crc32c(chunk, sum);
    else hash.update(chunk);
    await breathe(chunk.length);
  }
  if (hash !== undefined) return hash.digest('hex');
  // In the manifest it stands as it lies in the server's memory, the lowest byte first.
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(sum);
  return bytes.toString('hex');
}
