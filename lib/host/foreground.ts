import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { AppError } from '../errors.ts';
import { asCaller, calledByRoot } from './users.ts';

/**
 * Lends our terminal, input and output to a program of the caller's until it ends: with the caller's rights, folder and
 * environment, and with no limit, as it is theirs. Ctrl-C reaches it from the terminal; a signal sent to us alone is passed on.
 * @returns its exit status, 128 + the signal's number where one ended it, as a shell has it
 * @throws PROGRAM_FAILED when it cannot be run
 */
export async function runForCaller(
  [program = '', ...args]: readonly string[],
  { folder, env }: { folder: string; env: Record<string, string> },
): Promise<number> {
  const release = leaveSignalsTo(() => child);
  const child = asCaller(() =>
    spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: 'inherit',
      ...(calledByRoot() ? { uid: 0, gid: process.getgid?.() ?? 0 } : {}),
    }),
  );
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'ENOENT' ? 'there is no such program' : error.message;
        reject(new AppError('PROGRAM_FAILED', `${program} cannot be run: ${why}`, { cause: error }));
      });
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } finally {
    release();
  }
}

/** Our own answer to signals would end the work; here it is the program's. */
function leaveSignalsTo(child: () => { kill(signal: NodeJS.Signals): boolean }): () => void {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const before = names.map((name) => ({ name, listeners: process.listeners(name) }));
  for (const name of names) {
    process.removeAllListeners(name);
    process.on(name, () => {
      // What a terminal sends goes to all of its foreground group, so to the program too.
      if (!(name === 'SIGINT' && process.stdin.isTTY)) child().kill(name);
    });
  }
  return () => {
    for (const { name, listeners } of before) {
      process.removeAllListeners(name);
      for (const listener of listeners) process.on(name, listener as NodeJS.SignalsListener);
    }
  };
}
