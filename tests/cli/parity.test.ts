import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { Crontab } from '../helpers/crontab.ts';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));

/**
 * What the old tool's users type, in an order in which all of it can be done, and what the answer says. On purpose, what takes
 * something away is the one thing that does not mean `main` by itself.
 */
const table: [words: string, says: string | RegExp, code?: number][] = [
  // An instance, `main` where nobody says which.
  ['--action install --dry-run', /^would make +\S+\n +\S+instances$/m],
  ['--action create --template minimal --dry-run', 'would create main: PostgreSQL'],
  ['--action create -t testing -p PORT --networks web,n8n --gui-port 8080', 'main is running on port PORT'],
  ['--action create --instance other --gui-port 8080 --dry-run', '--gui-port does nothing here'],
  ['--instance main', /^state +running/m],
  ['-a status -i main', /^state +running/m],
  ['--action list', /^main +running +PORT/m],
  ['--action connect', /^port +PORT/m],
  ['--action connect --format default', /^port +PORT/m],
  ['--action connect --format json', '"port":PORT'],
  ['--action connect --format n8n', '"port": PORT'],
  ['--action connect --format node-red', 'PORT'],
  ['--action logs', 'database system is ready'],
  ['--action logs -n 1', /^[^\n]+\n$/],
  ['--action logs --lines 2', /^[^\n]+\n[^\n]+\n$/],
  ['--action restart', 'main is running on port PORT'],
  ['--action stop', 'main is stopped'],
  ['--action start --port PORT2', 'main is running on port PORT2'],
  ['--action upgrade', /main .*15|main .*newest|main .*PORT2/],
  ['--action monitor --interval 1 --count 1', 'main'],
  ['--action diagnose -i main', /found: 0 critical/],
  // Databases, roles and data.
  ['--action create-db -d listings', 'listings'],
  ['--action create-user -u agent --password s3cret', 'agent'],
  ['--action create-user --username clerk --database listings', 'clerk'],
  ['--action migrate-init -m migrations', 'main'],
  ['--action migrate-list --migrations-dir migrations', '003'],
  ['--action migrate --migrations-dir migrations', '3 applied, now at 003'],
  ['--action migrate-status -m migrations', /003 .*applied/],
  ['--action seed --seed-path seeds', '001_notes.sql'],
  ['--action seed -s seeds/001_notes.sql', 'main'],
  ['--action validate-injection --injection-config injection.json', 'valid: '],
  ['--action inject --injection-config injection.json', 'reports'],
  ['--action db-stats --database listings', 'listings'],
  ['--action migrate-rollback -i main -m migrations --backup-name 003 --yes', '002'],
  ['--action drop-user -i main -u clerk --force yes', 'clerk'],
  ['--action drop-db -i main -d listings -y', 'listings'],
  // Backups.
  ['--action backup --backup-name whole --backup-type full', 'backup whole is verified'],
  ['--action backup -b tables --backup-type schema', 'main: schema tables of '],
  ['--action backup -b rows --backup-type data', 'main: data rows of '],
  ['--action list-backups', /^whole +/m],
  ['--action verify-backup -b tables', 'tables'],
  ['--action restore -i main --backup-name whole --yes', 'main is running on port PORT2: backup whole'],
  ['--action cleanup-backups -i main --retention-days 7 --yes', /^whole +kept/m],
  // Several at once: everybody, where nobody says whom.
  ['--action multi-status', /^main +running/m],
  ['--action multi-health', /^main +running/m],
  ['--action multi-migrate -m migrations', 'main: '],
  ['--action multi-backup --backup-type schema', 'is verified'],
  ['--action delete-backup -i main -b tables -y', 'tables'],
  ['--action multi-restart', 'main is running'],
  ['--action multi-stop', 'main is stopped'],
  ['--action multi-start', 'main is running'],
  // What is not here says so in one sentence.
  ['--action gui --gui-port 8080', 'there is no web GUI', 2],
  ['--action gui-stop', 'there is no web GUI', 2],
  ['--action gui-status', 'there is no web GUI', 2],
  ['--action gui-list', 'there is no web GUI', 2],
  ['--action network-update --networks web', 'not in Docker networks', 2],
  ['--action network-migrate-all', 'not in Docker networks', 2],
  // The end.
  ['--action uninstall --remove-data no --yes', 'there are instances: main', 1],
  ['--action destroy', 'destroy needs --instance NAME', 2],
  ['--action destroy -i main --yes', 'main is destroyed'],
  ['--action uninstall --remove-data yes --yes', 'pg-manage is taken away'],
];

const page = readFileSync(join(fixtures, 'old-tool', 'manage-sh.md'), 'utf8');
/** The cells of each row of the table below a heading. */
function rowsBelow(heading: string): string[][] {
  const section = page.slice(page.indexOf(heading));
  const rows = section.slice(0, section.indexOf('\n\n', section.indexOf('|'))).matchAll(/^\| (.*) \|$/gm);
  return [...rows].slice(1).map(([, cells = '']) => cells.split('|').map((cell) => cell.trim()));
}

let sandbox: Sandbox;
let crontab: Crontab;
let values: Record<string, string>;
beforeAll(async () => {
  sandbox = await makeSandbox();
  crontab = new Crontab(sandbox);
  const first = Number(sandbox.portRange.split('-')[0]);
  values = { PORT: String(first), PORT2: String(first + 1) };
  cpSync(join(fixtures, 'migrations'), join(sandbox.folder, 'migrations'), { recursive: true });
  cpSync(join(fixtures, 'old-tool', 'seeds'), join(sandbox.folder, 'seeds'), { recursive: true });
  mkdirSync(join(sandbox.folder, 'sql'));
  writeFileSync(join(sandbox.folder, 'sql', 'report.sql'), 'create table report (n int);\n');
  const data = [{ type: 'schema', file: 'sql/report.sql', database: 'reports' }];
  const injection = { data, databases: [{ name: 'reports' }], users: [{ name: 'reader', privileges: 'read' }] };
  writeFileSync(join(sandbox.folder, 'injection.json'), JSON.stringify(injection));
});
afterAll(async () => await sandbox.cleanup());

const filled = (text: string): string => text.replaceAll(/\bPORT2?\b/g, (word) => values[word] ?? word);

describe('the table of what the old tool took', () => {
  it('has all its actions', () => {
    const names = rowsBelow('## Actions').flatMap(([, cell = '']) => cell.split(', '));
    expect(names).toHaveLength(46);
    const typed = new Set(table.map(([words]) => /(?:--action|-a) (\S+)/.exec(words)?.[1]));
    expect(names.filter((name) => !typed.has(name))).toEqual([]);
  });

  it('has all its options, long and short', () => {
    const options = rowsBelow('## Options').flatMap((cells) => cells.slice(0, 2).join(', ').split(/, ?/));
    expect(options.filter((option) => option !== '')).toHaveLength(31);
    const typed = new Set(table.flatMap(([words]) => words.split(' ')));
    expect(options.filter((option) => option !== '' && !typed.has(option))).toEqual([]);
  });
});

describe('what the old tool took does its job', () => {
  it.each(table)('%s', async (words, says, code = 0) => {
    const home = join(sandbox.folder, 'home');
    const env = { ...crontab.env, HOME: home, XDG_DATA_HOME: home };
    const finished = await sandbox.manage(filled(words).split(' '), { env });
    const said = `${finished.stdout}${finished.stderr}`;
    const wanted = typeof says === 'string' ? filled(says) : new RegExp(filled(says.source), says.flags);
    expect(words.includes('logs') ? finished.stdout : said).toMatch(wanted);
    expect({ code: finished.code, said }).toEqual({ code, said });
  });
});
