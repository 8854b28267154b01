import { execa } from 'execa';
import { chmodSync, chownSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { commandLine, endProcessesOn, processesOn } from '../../lib/host/processes.ts';
import { projectDirectory } from '../../lib/host/project.ts';
import { type Account, calledByRoot, findAccount } from '../../lib/host/users.ts';
import { makeTestFolder } from './places.ts';
import { claimPorts } from './ports.ts';

/** The program under test: always the real one, through its `#!` line. */
export const manageProgram = join(projectDirectory, 'manage.ts');

export interface RunOptions {
  /** Added to the sandbox's environment; an undefined value takes a variable away. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** What the program reads; without it stdin is empty. It is never a terminal. */
  input?: string;
  /** The program is ended after this long (default 120 s), which no test expects. */
  timeoutMs?: number;
  /** Whom to run it as; only root can. */
  account?: Account;
  /** A command line that runs it in narrower surroundings: `prlimit`, `unshare`, `sh -c '…; exec "$@"' sh`. */
  inside?: readonly string[];
  /** Puts it at the head of a process group, which `kill` then signals as a terminal's Ctrl-C does. */
  ownGroup?: boolean;
}

/** How a program ended. */
export interface Finished {
  /** The exit status; 128 + n where signal n ended it, as shells say it. */
  code: number;
  stdout: string;
  stderr: string;
  /** stdout as the one JSON document it must be. @throws when it is anything else */
  json(): Document;
}

/** The contract's document; `data` is whatever the action says. */
export interface Document {
  schema: number;
  action: string;
  ok: boolean;
  instance?: string;
  data?: any; // eslint-disable-line typescript/no-explicit-any -- tests look into it and fail where it is not as they think
  error?: { code: string; message: string; hint: string; exitCode: number; data?: Record<string, unknown> };
  warnings: string[];
  results?: Document[];
}

/** A program that has not ended yet. */
export interface Running {
  pid: number;
  kill(signal: NodeJS.Signals): void;
  finished: Promise<Finished>;
}

/** A root and a host folder of the test's own, in one temporary folder that the account `postgres` can reach. */
export interface Sandbox {
  /** Holds `root` and `host`; tests may put files of theirs here. Removed by `cleanup`. */
  folder: string;
  /** PG_MANAGE_ROOT: instances/ and backups/. Not there until the tool makes it. */
  root: string;
  /** PG_MANAGE_HOST: leases and the host lock. Not there until the tool makes it. */
  host: string;
  /** For `--port-range`: a few ports that no other sandbox has. */
  portRange: string;
  /** Runs `./manage.ts ARGS` to its end. A failure is an answer, not an exception. */
  manage(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Begins `./manage.ts ARGS`, for tests that signal it. */
  begin(args: readonly string[], options?: RunOptions): Running;
  /** `create NAME ARGS` within the sandbox's ports. @throws when it does not succeed */
  create(name: string, ...args: string[]): Promise<Finished>;
  /** Destroys what is there by the tool itself, and removes the folder. @throws when a process was left, which it ends */
  cleanup(): Promise<void>;
}

/** Makes a sandbox; call its `cleanup` in afterAll or afterEach. See `makeTestFolder`. */
export async function makeSandbox(where: { onDisk?: boolean } = {}): Promise<Sandbox> {
  const folder = makeTestFolder('pgm-cli-', where);
  chmodSync(folder, 0o755);
  const owner = serviceAccount();
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const [root, host] = [join(folder, 'root'), join(folder, 'host')];
  const ports = await claimPorts();
  const portRange = ports.range;

  const begin: Sandbox['begin'] = (args, options = {}) => {
    const env = { PG_MANAGE_ROOT: root, PG_MANAGE_HOST: host, ...options.env };
    return beginProgram(manageProgram, ofTestedMajor(args), { cwd: folder, ...options, env });
  };
  const manage: Sandbox['manage'] = async (args, options) => await begin(args, options).finished;
  return {
    folder,
    root,
    host,
    portRange,
    begin,
    manage,
    async create(name, ...args) {
      const finished = await manage(['create', name, '--port-range', portRange, ...args]);
      if (finished.code !== 0) throw new Error(`create ${name} ended with ${finished.code}:\n${finished.stderr}`);
      return finished;
    },
    async cleanup() {
      const destroyed = await manage(['destroy', 'all', '--yes', '--quiet']);
      const left = processesOn(folder).map((pid) => `${pid} ${commandLine(pid).join(' ')}`);
      await endProcessesOn(folder);
      rmSync(folder, { recursive: true, force: true });
      ports.release();
      if (left.length > 0) throw new Error(`left running:\n${left.join('\n')}\n${destroyed.stderr}`);
    },
  };
}

/** The major of instances whose test does not say which: the newest that is installed, or PG_TEST_MAJOR. */
export function testedMajor(): number {
  return Number(process.env['PG_TEST_MAJOR'] ?? Math.max(...readdirSync('/usr/lib/postgresql').map(Number)));
}

/** Whether that PostgreSQL brings pg_dump, pg_checksums and the like: a package of the system's does, npm's does not. */
export function hasAllPrograms(): boolean {
  return existsSync(`/usr/lib/postgresql/${testedMajor()}/bin/pg_dump`);
}

/** PG_TEST_MAJOR=18 has every instance made by that major where a test does not say which: .ci/run runs on two. */
function ofTestedMajor(args: readonly string[]): readonly string[] {
  const major = process.env['PG_TEST_MAJOR'];
  const isMade = args.includes('create') && !args.includes('--pg-version') && !args.includes('--bindir');
  return major === undefined || !isMade ? args : [...args, '--pg-version', major];
}

/** The account that owns a sandbox when the tests run as root; undefined for a plain user, who owns it. */
export function serviceAccount(): Account | undefined {
  if (!calledByRoot()) return undefined;
  const account = findAccount('postgres');
  if (account === undefined) throw new Error('tests as root need the account "postgres"');
  return account;
}

/**
 * Every path below a folder with its kind, size and time of change: equal listings mean that nothing was touched. What a
 * running server writes by itself, in its `data` and `log` folders, is left out; those folders are there.
 */
export function listTree(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/(^|\/)(data|log)\/./.test(path))
    .toSorted()
    .map((path) => {
      const { mode, size, mtimeMs } = statSync(join(folder, path));
      return `${path} ${mode.toString(8)} ${size} ${mtimeMs}`;
    });
}

/** Begins any program the way a sandbox begins `./manage.ts`, but with no variables added. */
export function beginProgram(file: string, args: readonly string[], options: RunOptions = {}): Running {
  const { cwd, input, account, inside = [], ownGroup = false, timeoutMs = 120_000 } = options;
  const [program = file, ...rest] = [...inside, file, ...args];
  const child = execa(program, rest, {
    reject: false,
    extendEnv: false,
    stripFinalNewline: false,
    env: { ...neutralEnvironment(), ...options.env },
    timeout: timeoutMs,
    detached: ownGroup,
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  return {
    pid: child.pid ?? 0,
    kill: (signal) => void (ownGroup && child.pid ? process.kill(-child.pid, signal) : child.kill(signal)),
    finished: finish(child),
  };
}

interface Ended {
  exitCode?: number;
  signal?: NodeJS.Signals;
  stdout?: unknown;
  stderr?: unknown;
}

async function finish(child: PromiseLike<Ended>): Promise<Finished> {
  const result = await child;
  const text = (output: unknown): string => (typeof output === 'string' ? output : '');
  const [stdout, stderr] = [text(result.stdout), text(result.stderr)];
  const status = result.exitCode ?? (result.signal ? 128 + constants.signals[result.signal] : undefined);
  if (status === undefined) throw result as unknown as Error; // it could not even be begun
  return {
    code: status,
    stdout,
    stderr,
    json() {
      try {
        return JSON.parse(stdout) as Document;
      } catch (cause) {
        throw new Error(`stdout is not one JSON document:\n${stdout}\nstderr:\n${stderr}`, { cause });
      }
    },
  };
}

/** The caller's environment without what changes how the tool or PostgreSQL's clients behave. */
function neutralEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(PG[A-Z_]*|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|XDG_\w+|JEST_\w+)$/.test(name),
    ),
  );
}
