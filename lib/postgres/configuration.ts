import { AppError } from '../errors.ts';
import { run } from '../host/programs.ts';
import { type Installation, program } from './installations.ts';

type Programs = Pick<Installation, 'bindir'>;

/** What a change of a setting takes to come into force. */
export type Takes = 'reload' | 'restart';

/**
 * The settings that this very server describes (`postgres --describe-config`), by name in lower case, each with what a change
 * of it takes. Those that are not for a configuration file are not among them.
 */
export async function describeSettings(programs: Programs, signal: AbortSignal): Promise<Map<string, Takes>> {
  const { stdout } = await run(program(programs, 'postgres'), ['--describe-config'], { signal, timeoutMs: 10_000 });
  const rows = stdout.split('\n').map((line) => line.split('\t'));
  return new Map(
    rows.flatMap(([name = '', context = '']): [string, Takes][] =>
      name === '' ? [] : [[name.toLowerCase(), takesOf(context)]],
    ),
  );
}

/** `postmaster` is PostgreSQL's word for settings that are read at the start alone (pg_settings.context). */
export function takesOf(context: string): Takes {
  return context === 'postmaster' ? 'restart' : 'reload';
}

/** What the server says against a value; `unknown` when it has no such setting at all. */
export interface Fault {
  name: string;
  unknown: boolean;
  message: string;
  hint?: string;
}

/** They may hold a password, which belongs into no command line. */
const secretive = ['primary_conninfo', 'ssl_passphrase_command'];

/**
 * Has the server itself look at names, units, ranges and words, without any data directory: each run of it (a few
 * milliseconds) finds the first fault. Settings of extensions pass: nobody knows them before their library is loaded.
 */
export async function settingFaults(
  programs: Programs,
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Fault[]> {
  const left = new Map(Object.entries(settings).filter(([name]) => !secretive.includes(name)));
  const faults: Fault[] = [];
  while (left.size > 0) {
    const fault = await firstFault(programs, left, signal);
    if (fault === undefined || !left.delete(fault.name)) break;
    faults.push(fault);
  }
  return faults;
}

async function firstFault(
  programs: Programs,
  settings: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Fault | undefined> {
  try {
    // Any setting may be asked for: the others are read first. The folder is never looked into, as the file is named.
    const asking = ['-D', '/', '-c', 'config_file=/dev/null', '-C', 'port'];
    await run(program(programs, 'postgres'), [...asArguments(settings), ...asking], { signal, timeoutMs: 10_000 });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'PROGRAM_FAILED') throw error;
    return readFault(error.output ?? '');
  }
}

/** Understands `FATAL:  invalid value for parameter "work_mem": "4XB"` and its like, with the hint in the line below. */
export function readFault(output: string): Fault | undefined {
  const message = /FATAL:\s+(.*)/.exec(output)?.[1];
  const name = /parameter "([^"]+)"/.exec(message ?? '')?.[1];
  if (message === undefined || name === undefined) return undefined;
  const hint = /HINT:\s+(.*)/.exec(output)?.[1];
  const unknown = message.startsWith('unrecognized configuration parameter');
  return { name, unknown, message, ...(hint === undefined ? {} : { hint }) };
}

function asArguments(settings: ReadonlyMap<string, string>): string[] {
  return [...settings].flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The first major that can tell its shared memory without being started (release notes of PostgreSQL 15). */
export const tellsSharedMemory = 15;

/**
 * The shared memory that a server with these settings takes, in bytes, as it reckons itself (`-C shared_memory_size`).
 * @param dataDirectory any folder with the PG_VERSION and the control file of one; no server may run on it
 * @returns undefined for a major that cannot tell
 */
export async function sharedMemoryOf(
  installation: Pick<Installation, 'bindir' | 'major'>,
  dataDirectory: string,
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (installation.major < tellsSharedMemory) return undefined;
  const values = new Map(Object.entries(settings).filter(([name]) => !secretive.includes(name)));
  const asking = ['-D', dataDirectory, '-c', 'config_file=/dev/null', '-C', 'shared_memory_size'];
  const { stdout } = await run(program(installation, 'postgres'), [...asArguments(values), ...asking], {
    signal,
    timeoutMs: 10_000,
  });
  const megabytes = Number(stdout.trim());
  return Number.isInteger(megabytes) && megabytes > 0 ? megabytes * 1024 ** 2 : undefined;
}
