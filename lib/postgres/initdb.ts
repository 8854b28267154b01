import { run } from '../host/programs.ts';
import { AppError } from '../errors.ts';
import { type Installation, program } from './installations.ts';

/** The superuser of every instance. It logs in over the socket only, by the operating system's word (peer). */
export const superuser = 'postgres';

export interface InitdbOptions {
  dataDirectory: string;
  locale?: string | undefined;
  signal: AbortSignal;
}

/**
 * Makes a data directory: checksums, UTF-8, scram. Unless told to `sync`, its files are not (`syncDataDirectory` does that
 * while the server already starts), so nothing may be promised before both are done.
 */
export async function initdb(
  installation: Installation,
  { dataDirectory, locale, signal, sync = false }: InitdbOptions & { sync?: boolean },
): Promise<void> {
  const make = async (name: string): Promise<unknown> =>
    await run(
      program(installation, 'initdb'),
      [
        '--pgdata',
        dataDirectory,
        '--username',
        superuser,
        '--data-checksums',
        '--encoding=UTF8',
        `--locale=${name}`,
        '--auth-local=peer',
        '--auth-host=scram-sha-256',
        ...(sync ? [] : ['--no-sync']),
        ...(installation.major >= 14 ? ['--no-instructions'] : []),
      ],
      { signal, timeoutMs: 300_000 },
    );
  if (locale !== undefined) return void (await make(locale));
  try {
    // Sorts by code point, the same on every machine: an index cannot be broken by an upgrade of the C library.
    await make('C.UTF-8');
  } catch (error) {
    if (!(error instanceof AppError) || !/invalid locale/.test(error.output ?? '')) throw error;
    await make('C');
  }
}

/** Makes a data directory survive a power loss (initdb --sync-only). May run while the server is up. */
export async function syncDataDirectory(
  installation: Installation,
  dataDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  await run(program(installation, 'initdb'), ['--sync-only', '--pgdata', dataDirectory], {
    signal,
    timeoutMs: 300_000,
  });
}
