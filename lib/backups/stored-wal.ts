import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, fileSize, readBytes } from '../host/files.ts';
import { run } from '../host/programs.ts';
import { codecOf, codecs, suffixOf, unpackerOf } from '../postgres/codecs.ts';
import { parseSegmentName, type SegmentName } from '../postgres/wal.ts';

/** Reads the name of a segment as the archive stores it: plainly, or under its name and the suffix of a codec. */
export function parseStoredSegment(file: string, segmentBytes: number): SegmentName | undefined {
  return parseSegmentName(file.slice(0, file.length - suffixOf[codecOf(file)].length), segmentBytes);
}

/** The path of a WAL file in an archive, whatever it is stored with; undefined where it is not there. */
export function findStored(archive: string, name: string): string | undefined {
  // As restore-wal.sh has it: the plain one first.
  return ['none' as const, ...codecs].map((codec) => join(archive, `${name}${suffixOf[codec]}`)).find(exists);
}

/** What a stored segment comes to when it is unpacked. */
export interface StoredSegment {
  /** Its size, unpacked. */
  sizeBytes: number;
  /** As many bytes of its beginning as a segment's header has. */
  head: Buffer;
  /** Why it cannot be unpacked; compressed ones end with a checksum of all they hold. */
  damage?: string;
}

const headBytes = 40;

/** Reads a stored segment; a compressed one to its end. @throws PROGRAM_FAILED where its program is not installed */
export async function inspectStored(file: string, signal: AbortSignal): Promise<StoredSegment> {
  const unpacker = unpackerOf[codecOf(file)];
  if (unpacker === undefined) {
    return { sizeBytes: fileSize(file) ?? 0, head: readBytes(file, 0, headBytes) ?? Buffer.alloc(0) };
  }
  let sizeBytes = 0;
  let head = Buffer.alloc(0);
  const onOutput = (chunk: Buffer): void => {
    sizeBytes += chunk.length;
    if (head.length < headBytes) head = Buffer.concat([head, chunk.subarray(0, headBytes)]);
  };
  try {
    await run(unpacker, ['-d', '-c', '-q', file], { signal, timeoutMs: 600_000, onOutput });
    return { sizeBytes, head };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'PROGRAM_FAILED') throw error;
    if (error.output === undefined) {
      throw new AppError('PROGRAM_FAILED', `${file} cannot be read: ${unpacker} is not installed`, {
        hint: `apt-get install ${unpacker}, or what your system calls it`,
        cause: error,
      });
    }
    return { sizeBytes, head, damage: `${unpacker} cannot unpack it` };
  }
}
