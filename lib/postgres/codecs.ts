import { findProgram } from '../host/programs.ts';

export const codecs = ['zstd', 'lz4', 'gzip', 'none'] as const;
export type Codec = (typeof codecs)[number];

/** What a file of each codec is called, as pg_basebackup and our archive script call it. */
export const suffixOf: Record<Codec, string> = { zstd: '.zst', lz4: '.lz4', gzip: '.gz', none: '' };

/** The program that packs and unpacks each codec; tar and the archive's scripts call it. */
export const unpackerOf: Record<Codec, string | undefined> = {
  zstd: 'zstd',
  lz4: 'lz4',
  gzip: 'gzip',
  none: undefined,
};

/** The codec of a file, by its name. */
export function codecOf(file: string): Codec {
  return codecs.find((codec) => suffixOf[codec] !== '' && file.endsWith(suffixOf[codec])) ?? 'none';
}

/** What WAL is compressed with: the path of the best program that is installed; empty where none is. */
export function findPacker(): string {
  const paths = codecs.map((codec) => unpackerOf[codec]).map((program) => program && findProgram(program));
  return paths.find((path) => path !== undefined) ?? '';
}
