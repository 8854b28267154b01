// npm run session: types the commands of the README's session on a terminal of 80 columns, on real PostgreSQL, and writes down
// what stands on the screen then. With --check (tests/cli/session.test.ts, so CI) nothing is written: it fails where the tool
// says other words than the README; sizes, times, ports and names made of numbers may differ.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(project, 'README.md');
const place = /(<!-- session: [^\n]*-->\n```console\n)([\s\S]*?)(```\n<!-- \/session -->)/;

/** What a line of a terminal shows in the end: what was written after it was last wiped, without colours. */
function shown(line) {
  const [last = ''] = line.split(/\u001b\[(?:2K|1G|0?K)|\r(?!$)/).slice(-1);
  return last.replaceAll(/\u001b\[[\d;?]*[a-zA-Z]|\r/g, '').trimEnd();
}

/** Types the commands, each when the one before has ended, in a folder like a user's. */
function record(commands) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pg-manage-session-')));
  chmodSync(folder, 0o755);
  symlinkSync(join(project, 'manage.ts'), join(folder, 'manage.ts'));
  cpSync(join(project, 'tests', 'fixtures', 'migrations'), join(folder, 'migrations'), { recursive: true });
  // The caller may say which ports are others', by a host folder with their leases.
  const { PATH, HOME, PG_MANAGE_HOST = join(folder, 'host') } = process.env;
  const places = { PG_MANAGE_ROOT: join(folder, 'root'), PG_MANAGE_HOST };
  const env = { PATH, HOME, TERM: 'xterm', LANG: 'C.UTF-8', SHELL: '/bin/sh', ...places };
  const type = (command) =>
    spawnSync('script', ['-qec', `stty cols 80 rows 40; ${command}`, '/dev/null'], {
      cwd: folder,
      env,
      timeout: 60_000,
    });
  try {
    return commands.map((command) => {
      const { status, stdout } = type(command);
      const lines = String(stdout).replaceAll(folder, '/srv/pg').split('\n').map(shown);
      if (status !== 0) throw new Error(`ended with ${status}: ${command}\n${lines.join('\n')}`);
      return { command, lines: lines.join('\n').replaceAll(/^\n+|\s+$/g, '') };
    });
  } finally {
    const end = spawnSync('./manage.ts', ['destroy', 'all', '--yes', '--quiet'], { cwd: folder, env });
    if (end.status !== 0) process.stderr.write(String(end.stderr));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A text without what differs from run to run. */
function normal(text) {
  return text
    .replaceAll(/\b(\d{8}T\d{6}Z(-[\da-f]{4})?|[\dA-F]+\/[\dA-F]+)\b/g, 'N') // backups, quarantine; LSNs
    .replaceAll(/\d[\d.,:TZ-]*/g, 'N')
    .replaceAll(/N (kB|MB|GB|TB|B)\b/g, 'N B')
    .replaceAll(/N (ms|s|min)\b/g, 'N s')
    .replaceAll(/[ -]{2,}/g, ' ');
}

const readme = readFileSync(file, 'utf8');
const [, , before] = place.exec(readme) ?? [];
if (before === undefined) throw new Error('README.md has no place for the session');
const commands = before.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
const after = record(commands)
  .map(({ command, lines }) => `$ ${command}\n${lines === '' ? '' : `${lines}\n`}`)
  .join('\n');
if (!process.argv.includes('--check')) {
  writeFileSync(
    file,
    readme.replace(place, (_, head, __, foot) => `${head}${after}${foot}`),
  );
} else if (normal(after) !== normal(before)) {
  const had = new Set(normal(before).split('\n'));
  const news = after.split('\n').filter((line) => !had.has(normal(line)));
  process.stderr.write(`the README's session has drifted (npm run session):\n${news.join('\n')}\n`);
  process.exitCode = 1;
}
