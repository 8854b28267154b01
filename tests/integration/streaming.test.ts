import { readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { commandLine, identify, processesOn, processUser, waitForEnd } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { hasAllPrograms, listTree, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { type Address, addressOf, programOf, query, superQuery } from '../helpers/database.ts';
import { codes, diagnoseIn } from '../helpers/diagnose.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { describeWithPrograms, manageWithout } from '../helpers/without-program.ts';

const { signal } = new AbortController();

let sandbox: Sandbox;
let address: Address;
let archive: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  archive = join(sandbox.root, 'backups', 'shop', 'wal');
  await sandbox.create('shop', '--template', 'minimal', '--archive', hasAllPrograms() ? 'streaming' : 'command');
  address = await addressOf(sandbox, 'shop');
  await query(address, 'create table numbered (n int primary key)');
  dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
});

afterAll(async () => {
  await sandbox.cleanup();
});

interface Receiver {
  state: string;
  pid: number | null;
  lagBytes: number | null;
  capBytes: number | null;
  slotLost: boolean;
  lastReceivedAt: string | null;
}

async function statusOf(name = 'shop') {
  return dataOf(await sandbox.manage(['status', name, '--json']));
}

/** Looks until the receiver is as a test wants it. */
async function receiverIs(wanted: Partial<Receiver>): Promise<Receiver> {
  let found: Receiver | undefined;
  const look = async (): Promise<Receiver | undefined> => {
    found = (await statusOf()).receiver as Receiver;
    return Object.entries(wanted).every(([key, value]) => found?.[key as keyof Receiver] === value) ? found : undefined;
  };
  const receiver = await poll(look, { signal, timeoutMs: 20_000 });
  if (receiver === undefined) throw new Error(`it is ${JSON.stringify(found)}\n${receiverLog()}`);
  return receiver;
}

function receiverLog(): string {
  return readFileSync(join(sandbox.root, 'instances', 'shop', 'log', 'receiver.out'), 'utf8');
}

const received = (timeline = '00000001'): string => join(archive, 'tail', timeline);

/** pg_receivewal, and the script that has it at work. */
function processes(): { program: number | undefined; script: number | undefined } {
  const pids = processesOn(join(archive, 'tail'));
  const is = (name: string) => pids.find((pid) => commandLine(pid).some((argument) => argument.endsWith(name)));
  const script = is('/instances/shop/receive-wal');
  return { program: pids.find((pid) => pid !== script), script };
}

async function kill(pid: number | undefined): Promise<void> {
  process.kill(pid ?? 0, 'SIGKILL');
  expect(await waitForEnd(pid ?? 0, 5000, signal)).toBe(true);
}

/** Waits until what was committed is received. */
async function isReceived(): Promise<void> {
  const look = async (): Promise<true | undefined> => {
    const [row] = await superQuery<{ all: boolean }>(
      sandbox,
      'shop',
      'select bool_and(flush_lsn >= pg_current_wal_flush_lsn()) as all from pg_stat_replication',
    );
    return row?.all === true ? true : undefined;
  };
  expect(await poll(look, { signal, timeoutMs: 20_000 })).toBe(true);
}

/** What is left of a machine whose disk of instances is lost: the repository. */
async function loseInstance(): Promise<void> {
  const folder = join(sandbox.root, 'instances', 'shop');
  const [postmaster] = readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  const { program, script } = processes();
  const server = processesOn(folder).filter((pid) => pid !== program && pid !== script);
  for (const pid of [Number(postmaster), script, program]) {
    if (pid !== undefined && identify(pid) !== undefined) process.kill(pid, 'SIGKILL');
  }
  for (const pid of server) expect(await waitForEnd(pid, 10_000, signal)).toBe(true);
  rmSync(folder, { recursive: true });
}

async function numbers(of: Address): Promise<number[]> {
  return (await query<{ n: number }>(of, 'select n from numbered order by n')).map(({ n }) => n);
}

/** Nothing is begun on a machine that has no pg_receivewal. */
async function refusedWithoutReceivewal(): Promise<void> {
  const before = listTree(join(sandbox.root, 'instances')).filter((line) => !line.startsWith('shop/data '));
  const program = programOf(sandbox, 'shop', 'pg_receivewal');
  for (const args of [
    ['create', 'other', '--archive', 'streaming'],
    ['tune', 'shop', '--archive', 'streaming', '--apply'],
  ]) {
    const range = args[0] === 'create' ? ['--port-range', sandbox.portRange] : [];
    const refused = await manageWithout(sandbox, program, [...args, ...range, '--json']);
    expect([refused.code, refused.json().error?.code]).toEqual([1, 'NO_PG_RECEIVEWAL']);
    expect(refused.json().error?.hint).toContain('apt-get install postgresql-client-');
  }
  expect(listTree(join(sandbox.root, 'instances')).filter((line) => !line.startsWith('shop/data '))).toEqual(before);
}

const describeStreaming = describeWithPrograms(refusedWithoutReceivewal);

describeStreaming('an instance whose WAL is streamed', () => {
  it('says so, with how far the receiver is behind and what its slot may keep', async () => {
    const receiver = await receiverIs({ state: 'streaming', slotLost: false });
    expect(receiver.capBytes).toBe(1024 ** 3);
    const { archive: archiving } = await statusOf();
    expect(archiving).toMatchObject({ mode: 'streaming', lagBytes: expect.any(Number) });
    const { findings } = await diagnoseIn(sandbox, '--instance', 'shop');
    expect(codes(findings).filter((code) => /RECEIVER|SLOT/.test(code))).toEqual([]);
  });

  it('receives as a role that may replicate and nothing else, without a password, and not as root', async () => {
    const { program, script } = processes();
    for (const pid of [program ?? 0, script ?? 0]) {
      expect(processUser(pid)).toBe(serviceAccount()?.uid ?? process.getuid?.());
      expect(commandLine(pid).join(' ')).not.toContain(address.password);
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain(address.password);
    }
    expect(
      await superQuery(
        sandbox,
        'shop',
        `select rolsuper, rolreplication, rolcreatedb, rolpassword from pg_authid where rolname = 'pgmanage_receiver'`,
      ),
    ).toEqual([{ rolsuper: false, rolreplication: true, rolcreatedb: false, rolpassword: null }]);
  });

  it('has a commit in the repository within a second, proven by a test restore of what was received', async () => {
    const before = readdirSync(archive);
    const proof = dataOf(await sandbox.manage(['prove', 'shop', '--json']));
    const checks = proof.verification.checks as { name: string; ok: boolean; detail: string }[];
    expect(proof.verification.rpoSeconds).toBeLessThan(1);
    expect(checks.find(({ name }) => name === 'end of the archive')?.detail).toContain('beyond the archive');
    expect(checks.find(({ name }) => name === 'heartbeat')?.ok).toBe(true);
    expect(readdirSync(archive)).toEqual(before); // no segment was cut short for it
  });
});

describeStreaming('a receiver that is killed', () => {
  it('is started again by its script, also when a file was cut off before anything was received into it', async () => {
    const { program, script } = processes();
    await kill(program);
    await receiverIs({ state: 'streaming', pid: script ?? 0 });
    const again = processes();
    process.kill(script ?? 0, 'SIGSTOP');
    try {
      await kill(again.program);
      const partial = readdirSync(received()).find((name) => name.endsWith('.partial')) ?? '';
      truncateSync(join(received(), partial), 8192);
    } finally {
      process.kill(script ?? 0, 'SIGCONT');
    }
    await receiverIs({ state: 'streaming', pid: script ?? 0 });
  });

  it('is told of by status, check and diagnose when its script is gone too, and start brings it back', async () => {
    const { program, script } = processes();
    await kill(script);
    await receiverIs({ state: 'streaming', pid: null });
    expect(codes((await diagnoseIn(sandbox, '--instance', 'shop')).findings)).toContain('shop RECEIVER_ALONE');
    await kill(program);
    await query(address, 'insert into numbered values (1)');
    const status = await sandbox.manage(['status', 'shop', '--json']);
    expect(status.json().data.receiver).toMatchObject({ state: 'crashed', pid: null });
    expect(status.json().warnings).toEqual([expect.stringContaining('RECEIVER_DOWN')]);
    const { findings } = await diagnoseIn(sandbox, '--instance', 'shop');
    const down = findings.find(({ code }) => code === 'RECEIVER_DOWN');
    expect(down).toMatchObject({ severity: 'critical', remedy: './manage.ts --action start --instance shop' });
    const check = await sandbox.manage(['check', 'shop', '--json']);
    expect([check.code, check.json().error?.data?.['problems']]).toEqual([
      7,
      expect.arrayContaining([expect.stringContaining('streams no WAL')]),
    ]);
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
    await receiverIs({ state: 'streaming', pid: processes().script ?? 0 });
  });

  it('and away for longer than its slot keeps WAL, has no gap in the archive: start brings it back', async () => {
    await loseSlot(async () => {
      const { program, script } = processes();
      await kill(script);
      await kill(program);
    });
    const lost = await receiverIs({ state: 'crashed', slotLost: true });
    expect(Date.parse(lost.lastReceivedAt ?? '')).toBeLessThanOrEqual(Date.now());
    const { warnings } = (await sandbox.manage(['status', 'shop', '--json'])).json();
    expect(warnings.join()).toContain(`streams no WAL since ${lost.lastReceivedAt?.slice(0, 19)}Z`);
    const { protection } = await statusOf();
    expect(protection.pointInTime).toMatchObject({ state: 'whole', gaps: [] });
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
    await receiverIs({ state: 'streaming', slotLost: false, lastReceivedAt: null });
  });

  it('and held up for so long gets another slot from its script, by itself', async () => {
    const { script } = processes();
    await loseSlot(async () => {
      process.kill(script ?? 0, 'SIGSTOP');
      await kill(processes().program);
    });
    await receiverIs({ slotLost: true });
    process.kill(script ?? 0, 'SIGCONT');
    await receiverIs({ state: 'streaming', pid: script ?? 0, slotLost: false });
    expect(receiverLog()).toContain('it is made anew');
    await query(address, 'insert into numbered values (40)');
    await isReceived();
    const proof = dataOf(await sandbox.manage(['prove', 'shop', '--json']));
    expect(proof.verification).toMatchObject({ state: 'verified' });
    await query(address, 'delete from numbered where n = 40');
  });
});

/** Has the server need more WAL than it may keep for the receiver, which is held up before. */
async function loseSlot(holdUp: () => Promise<void>): Promise<void> {
  await superQuery(sandbox, 'shop', `alter system set max_slot_wal_keep_size = '1MB'`);
  await superQuery(sandbox, 'shop', 'select pg_reload_conf()');
  await holdUp();
  for (let n = 2; n <= 4; n++) {
    await query(address, `insert into numbered values (${n}) on conflict do nothing`);
    await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
  }
  // What is not archived yet would not be removed.
  const archived = async (): Promise<true | undefined> => {
    const waiting = await superQuery(sandbox, 'shop', `select from pg_ls_archive_statusdir() where name ~ 'ready$'`);
    return waiting.length === 0 ? true : undefined;
  };
  expect(await poll(archived, { signal, timeoutMs: 20_000 })).toBe(true);
  await superQuery(sandbox, 'shop', 'checkpoint');
  await superQuery(sandbox, 'shop', 'alter system reset max_slot_wal_keep_size');
  await superQuery(sandbox, 'shop', 'select pg_reload_conf()');
}

describeStreaming('with its instance', () => {
  it('stops, starts and restarts with it', async () => {
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    expect(processes()).toEqual({ program: undefined, script: undefined });
    const stopped = await sandbox.manage(['status', 'shop', '--json']);
    expect(stopped.json().data.receiver).toMatchObject({ state: 'stopped' });
    dataOf(await sandbox.manage(['start', 'shop', '--json']));
    await receiverIs({ state: 'streaming' });
    const { script } = processes();
    expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0);
    await receiverIs({ state: 'streaming' });
    expect(processes().script).not.toBe(script);
  });

  it('is taken away and given by tune, which says what it plans and why', async () => {
    // Of a server that does not run: its slot, which would keep WAL for ever, goes as it starts.
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    const off = dataOf(await sandbox.manage(['tune', 'shop', '--archive', 'command', '--apply', '--json']));
    expect(off).toMatchObject({ applied: true });
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
    expect(processes()).toEqual({ program: undefined, script: undefined });
    const left = `select rolname as left from pg_roles where rolname ~ 'receiver' union all select slot_name from pg_replication_slots`;
    expect(await superQuery(sandbox, 'shop', left)).toEqual([]);
    expect(readFileSync(join(sandbox.root, 'instances/shop/data/pg_hba.conf'), 'utf8')).not.toContain('receiver');
    expect(await statusOf()).toMatchObject({ receiver: null, archive: { mode: 'command' } });
    const on = dataOf(await sandbox.manage(['tune', 'shop', '--archive', 'streaming', '--apply', '--json']));
    const cap = (on.changes as { name: string; after: string; takes: string; reason: string }[]).find(
      ({ name }) => name === 'max_slot_wal_keep_size',
    );
    expect(cap).toMatchObject({ after: '1GB', takes: 'reload', reason: expect.stringContaining('no disk fills up') });
    await receiverIs({ state: 'streaming', capBytes: 1024 ** 3 });
    await expectInvariants(sandbox);
  });

  it('on a machine without pg_receivewal says what to install, and changes nothing', refusedWithoutReceivewal);
});

describeStreaming('a machine that is lost', () => {
  it('loses nothing that was committed, also while nothing is archived', async () => {
    const before = await numbers(address);
    await superQuery(sandbox, 'shop', `alter system set archive_command = 'false'`);
    await superQuery(sandbox, 'shop', 'select pg_reload_conf()');
    for (let n = 5; n <= 6; n++) {
      await query(address, `insert into numbered values (${n})`);
      await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
    }
    await query(address, 'insert into numbered values (7)');
    await isReceived();
    await loseInstance();
    expect(readdirSync(received()).filter((name) => !name.includes('.')).length).toBeGreaterThanOrEqual(2);
    const preview = dataOf(await sandbox.manage(['restore', 'shop', '--dry-run', '--json']));
    expect(preview.walReceived).toBeGreaterThanOrEqual(3);
    const range = ['--port-range', sandbox.portRange];
    const restored = await sandbox.manage(['restore', 'shop', '--port', 'auto', ...range, '--yes', '--json']);
    expect(dataOf(restored)).toMatchObject({ timeline: 2 });
    expect(await numbers(await addressOf(sandbox, 'shop'))).toEqual([...before, 5, 6, 7]);
    // What was received whole is in the archive now: no later restore has a gap.
    expect(readdirSync(received()).filter((name) => !name.includes('.'))).toEqual([]);
    expect((await statusOf()).protection.pointInTime).toMatchObject({ state: 'whole', gaps: [] });
  });

  it('goes on streaming on the new timeline, and is restored along it; the last moments of the old one are kept', async () => {
    address = await addressOf(sandbox, 'shop');
    await receiverIs({ state: 'streaming' });
    expect(readdirSync(received('00000002')).some((name) => name.endsWith('.partial'))).toBe(true);
    expect(readdirSync(received('00000001')).some((name) => name.endsWith('.partial'))).toBe(true);
    await query(address, 'insert into numbered values (8)');
    const before = await numbers(address);
    await isReceived();
    await loseInstance();
    const range = ['--port-range', sandbox.portRange];
    dataOf(await sandbox.manage(['restore', 'shop', '--as', 'copy', ...range, '--json']));
    expect(await numbers(await addressOf(sandbox, 'copy'))).toEqual(before);
    expect(await statusOf('copy')).toMatchObject({ receiver: { state: 'streaming' } });
    expect((await sandbox.manage(['destroy', 'copy', '--yes'])).code).toBe(0);
    expect(processesOn(join(sandbox.root, 'backups', 'copy'))).toEqual([]);
  });
});
