// The tool as a library: `import { createInstance, backup } from 'pg-manage'`. Each call is a run of the command with --json,
// in a process of its own: giving up root's rights, signals and locks stay out of the caller's process, and what a script may
// rely on (docs of the command line) is what a program may rely on. Types are in index.d.mts.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export class ManageError extends Error {
  name = 'ManageError';

  constructor({ code, message, hint, exitCode, data }) {
    super(message);
    Object.assign(this, { code, hint, exitCode, data });
  }
}

/** Runs any action; `maxConnections: 50` is `--max-connections 50`. */
export async function manage(action, { instance, signal, env, ...options } = {}) {
  const address = instance === undefined ? [] : ['--instance', [instance].flat().join(',')];
  const flags = Object.entries(options).flatMap(([name, value]) => flag(name, value));
  const { document, stderr, status } = await run(['--action', action, ...address, ...flags, '--json'], { signal, env });
  if (document === undefined) throw new ManageError({ code: 'INTERNAL', message: stderr.trim(), exitCode: status });
  if (document.error !== undefined)
    throw new ManageError({ ...document.error, data: document.results ?? document.error.data });
  return document.results ?? document.data;
}

function flag(name, value) {
  const word = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (value === undefined || value === false) return [];
  if (value === true) return [word];
  // With the = a value may begin with a dash.
  return [`${word}=${value instanceof Date ? value.toISOString() : value}`];
}

async function run(args, { signal, env }) {
  const child = spawn(process.execPath, [join(project, 'lib', 'launch.cjs'), join(project, 'manage.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env }, // eslint-disable-line no-restricted-properties -- the command reads the caller's
    signal,
    killSignal: 'SIGTERM', // ends at the next safe point and undoes, or leaves resumable, what was begun
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (texts[name] += text));
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { status, stderr: texts.stderr, document: parse(texts.stdout) };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const onInstance = (action) => async (instance, options) => await manage(action, { ...options, instance });

export const createInstance = onInstance('create');
export const startInstance = onInstance('start');
export const stopInstance = onInstance('stop');
export const statusOf = onInstance('status');
export const connectionOf = onInstance('connect');
export const migrate = onInstance('migrate');
export const backup = onInstance('backup');
export const listBackups = async (instance, options) => (await onInstance('list-backups')(instance, options)).backups;
export const verifyBackup = onInstance('verify-backup');
/** Restoring in place replaces data, which the command asks about: to call this is to have answered. */
export const restore = async (instance, options) => await manage('restore', { ...options, instance, yes: true });
export const destroyInstance = async (instance, options) =>
  await manage('destroy', { ...options, instance, yes: true });
export const listInstances = async (options) => (await manage('list', options)).instances;
