import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesOn } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { type Finished, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { Crontab } from '../helpers/crontab.ts';
import { addressOf, query } from '../helpers/database.ts';

let sandbox: Sandbox;
let crontab: Crontab;
/** Has a process number that a lock file named before the machine went down. */
let other: ChildProcess;

const folder = (): string => join(sandbox.root, '.pg-manage', 'autostart');
const autostart = async (...args: string[]): Promise<Finished> =>
  await sandbox.manage(['autostart', ...args, '--json'], { env: crontab.env });

/** Power is lost: every process is gone at once, and their files stay. The numbers are given anew afterwards. */
async function losePower(): Promise<void> {
  const instances = join(sandbox.root, 'instances');
  for (const pid of processesOn(instances)) process.kill(pid, 'SIGKILL');
  const gone = (): true | undefined => (processesOn(instances).length > 0 ? undefined : true);
  expect(await poll(gone, { signal: new AbortController().signal, timeoutMs: 10_000 })).toBe(true);
  const file = join(sandbox.root, 'instances', 'shop', 'data', 'postmaster.pid');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(other.pid)));
  rmSync(join(sandbox.root, 'instances', 'shop', 'run'), { recursive: true });
}

async function states(): Promise<Record<string, string>> {
  const { instances } = dataOf(await sandbox.manage(['list', '--json']));
  return Object.fromEntries(instances.map((one: { name: string; state: string }) => [one.name, one.state]));
}

beforeAll(async () => {
  sandbox = await makeSandbox();
  crontab = new Crontab(sandbox);
  const { uid, gid } = serviceAccount() ?? {};
  other = spawn('/bin/sleep', ['600'], { stdio: 'ignore', ...(uid === undefined ? {} : { uid, gid }) });
  await sandbox.create('shop', '--template', 'testing');
  await query(await addressOf(sandbox, 'shop'), 'create table kept as select 42 as answer');
  await sandbox.create('shelf', '--template', 'testing');
  dataOf(await sandbox.manage(['stop', 'shelf', '--json']));
});

afterAll(async () => {
  other.kill();
  await sandbox.cleanup();
});

it('shows what it would install, and touches nothing without a yes', async () => {
  expect(dataOf(await autostart('--with', 'cron', '--dry-run')).script).toBe(join(folder(), 'with-machine'));
  expect((await autostart('--with', 'cron')).json()).toMatchObject({ error: { code: 'CONFIRMATION_REQUIRED' } });
  expect(existsSync(folder())).toBe(false);
  expect(crontab.text()).toBe(Crontab.others);
});

it('brings back what ran when the power went, and leaves stopped what was stopped', async () => {
  dataOf(await autostart('--with', 'cron', '--yes'));
  dataOf(await autostart('--with', 'cron', '--yes'));
  expect(crontab.text()).toContain(Crontab.others);
  const [line = '', ...more] = crontab.lines();
  expect(line).toMatch(/^@reboot /);
  expect(more).toEqual([]);
  expect(dataOf(await autostart('--show')).instances).toEqual([
    { name: 'shelf', state: 'stopped', comesBack: false },
    { name: 'shop', state: 'running', comesBack: true },
  ]);

  await losePower();
  expect(await states()).toEqual({ shelf: 'stopped', shop: 'crashed' });
  expect(await crontab.run(line)).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(await states()).toEqual({ shelf: 'stopped', shop: 'running' });
  expect(await query(await addressOf(sandbox, 'shop'), 'select answer from kept')).toEqual([{ answer: 42 }]);
});

it('is what systemd stops and starts, too: a machine that goes down in order is no stop', async () => {
  const script = join(folder(), 'with-machine');
  expect(await crontab.run(`@reboot ${script} stop`)).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(await states()).toEqual({ shelf: 'stopped', shop: 'stopped' });
  expect(await crontab.run(`@reboot ${script} start`)).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(await states()).toEqual({ shelf: 'stopped', shop: 'running' });
});

it('starts the servers without this program, should that be gone', async () => {
  const script = join(folder(), 'with-machine');
  const orphaned = join(folder(), 'orphaned');
  const text = readFileSync(script, 'utf8').replaceAll('/lib/launch.cjs', '/lib/gone.mjs');
  writeFileSync(orphaned, text, { mode: 0o755 });
  dataOf(await sandbox.manage(['stop', 'shop', '--for-now', '--json']));
  const ended = await crontab.run(`@reboot ${orphaned} start`);
  expect(ended).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('gone.mjs cannot be run') });
  dataOf(await sandbox.manage(['start', 'shop', '--json'])); // waits for it
  expect(await query(await addressOf(sandbox, 'shop'), 'select answer from kept')).toEqual([{ answer: 42 }]);
  expect(await states()).toEqual({ shelf: 'stopped', shop: 'running' });
});

it('what is restarted is meant to run again, and autostart can be taken away', async () => {
  dataOf(await sandbox.manage(['restart', 'shelf', '--json']));
  expect(dataOf(await autostart('--show')).instances).toMatchObject([{ comesBack: true }, { comesBack: true }]);
  dataOf(await autostart('--remove', '--yes'));
  expect(crontab.text()).toBe(Crontab.others);
  expect(existsSync(folder())).toBe(false);
  expect(await states()).toEqual({ shelf: 'running', shop: 'running' });
});

it('uninstall refuses while there are instances; with --remove-data their data waits in quarantine, and backups stay', async () => {
  const uninstall = async (...args: string[]): Promise<Finished> =>
    await sandbox.manage(['uninstall', ...args, '--json'], { env: crontab.env });
  dataOf(await autostart('--with', 'cron', '--yes'));
  const refused = { error: { code: 'INSTANCES_LEFT', message: 'there are instances: shelf, shop' } };
  expect((await uninstall('--yes')).json()).toMatchObject(refused);
  expect((await uninstall('--remove-data', 'no', '--yes')).json()).toMatchObject(refused);
  expect((await uninstall('--remove-data', 'yes')).json()).toMatchObject({ error: { code: 'CONFIRMATION_REQUIRED' } });
  expect(await states()).toEqual({ shelf: 'running', shop: 'running' });

  dataOf(await uninstall('--remove-data', 'yes', '--yes'));
  expect(crontab.text()).toBe(Crontab.others);
  expect(await states()).toEqual({});
  expect(readdirSync(join(sandbox.root, '.pg-manage')).sort()).toEqual(['audit.jsonl', 'journal', 'quarantine']);
  expect(readdirSync(join(sandbox.root, 'backups')).sort()).toEqual(['shelf', 'shop']);
  expect(existsSync(sandbox.host)).toBe(false);
});
