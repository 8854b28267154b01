import { describe, expect, it } from '@jest/globals';
import { planInstance, withSharedMemory } from '../../../lib/tuning/plan.ts';
import { MB } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';
import { input, reasonIn, refusal, valueIn } from './input.ts';

describe('who decides', () => {
  it('--set over template over formula, each with its reason', () => {
    const plan = planInstance(input({ wishes: { settings: { log_lock_waits: 'off', work_mem: '32 mb' } } }));
    expect([valueIn(plan, 'work_mem'), reasonIn(plan, 'work_mem')]).toEqual(['32MB', 'asked for with --set']);
    expect(valueIn(plan, 'log_lock_waits')).toBe('off');
    expect(reasonIn(plan, 'log_temp_files')).toBe('template production: sorts that did not fit into work_mem by far');
    expect(reasonIn(plan, 'shared_buffers')).toContain('50 connections × 3');
  });

  it('names no setting twice', () => {
    const names = planInstance(input({ template: loadTemplate('ecommerce') })).settings.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('keeps the spaces of a value', () => {
    const plan = planInstance(input({ wishes: { settings: { syslog_ident: 'a b ' } } }));
    expect(valueIn(plan, 'syslog_ident')).toBe('a b ');
  });

  it('counts what --set takes', () => {
    const plain = planInstance(input());
    const plan = planInstance(input({ wishes: { settings: { shared_buffers: '16384', autovacuum_work_mem: '-1' } } }));
    expect(valueIn(plan, 'shared_buffers')).toBe('16384');
    expect(plan.committedBytes).toBeLessThan(plain.committedBytes);
    expect(plan.committedBytes).toBeGreaterThan((128 + 50 * 2.25 + 3 * 100) * MB);
  });
});

describe('lines of the operator', () => {
  it('win over the plan and say where they stand; of what the plan does not touch nothing is shown', () => {
    const own = { work_mem: { value: '8MB', place: 'a.conf, line 3' }, jit: { value: 'off', place: 'a.conf, line 4' } };
    const { settings } = planInstance(input({ own }));
    expect(settings.find(({ name }) => name === 'work_mem')).toStrictEqual({
      name: 'work_mem',
      value: '8MB',
      reason: 'your own line wins: a.conf, line 3',
      ownPlace: 'a.conf, line 3',
    });
    expect(settings.find(({ name }) => name === 'jit')).toBeUndefined();
    const wished = planInstance(input({ own, wishes: { settings: { jit: 'on' } } }));
    expect(valueIn(wished, 'jit')).toBe('off');
    expect(settings.find(({ name }) => name === 'huge_pages')).not.toHaveProperty('ownPlace');
  });
});

it('the shared memory that the server reports takes the place of ours in every figure', () => {
  const plan = planInstance(input());
  const more = withSharedMemory(plan, plan.sharedMemoryBytes + 10);
  expect(more).toEqual({
    ...plan,
    sharedMemoryBytes: plan.sharedMemoryBytes + 10,
    committedBytes: plan.committedBytes + 10,
    stressBytes: plan.stressBytes + 10,
  });
});

it('a busy moment counts the parallel workers and the work_mem that were given', () => {
  const stress = (settings: Record<string, string>) => planInstance(input({ wishes: { settings } })).stressBytes;
  // 13 busy connections with two nodes each, and the parallel workers; hash tables take twice work_mem.
  expect(stress({ work_mem: '20MB' }) - stress({ work_mem: '10MB' })).toBe((13 * 2 * 2 + 2 * 2) * 10 * MB);
  expect(stress({ max_parallel_workers: '5' }) - stress({})).toBe(3 * 2 * 16 * MB);
});

describe('versions', () => {
  const names = (major: number) => planInstance(input({ major })).settings.map(({ name }) => name);

  it('gives each what it has', () => {
    expect(names(15)).not.toContain('reserved_connections');
    expect(names(16)).toContain('reserved_connections');
    expect(names(17)).not.toContain('io_method');
    expect(valueIn(planInstance(input({ major: 18 })), 'io_method')).toBe('worker');
    expect(valueIn(planInstance(input({ major: 18 })), 'autovacuum_worker_slots')).toBe('6');
  });

  it('refuses a wish of another version, and leaves it out of a template with a warning', () => {
    expect(refusal(input({ wishes: { settings: { io_method: 'sync' } } })).message).toBe(
      'io_method came with PostgreSQL 18, and this is 15',
    );
    const template = { ...loadTemplate('minimal'), settings: { summarize_wal: 'on' } };
    const plan = planInstance(input({ template }));
    expect(valueIn(plan, 'summarize_wal')).toBeUndefined();
    expect(plan.warnings).toEqual([
      'template minimal: summarize_wal came with PostgreSQL 17, and this is 15; left out',
    ]);
  });
});

describe('wishes that are refused', () => {
  it.each([
    'port',
    'listen_addresses',
    'unix_socket_directories',
    'archive_mode',
    'archive_command',
    'archive_library',
    'data_directory',
    'hba_file',
    'ident_file',
    'external_pid_file',
    'cluster_name',
    'log_directory',
    'logging_collector',
    'restore_command',
    'recovery_target',
    'recovery_target_lsn',
    'include',
    'include_dir',
    'Work_Mem',
    'a.b.c',
    'work_mem = 1 #',
    'shared_bufers',
  ])('%s', (name) => {
    const error = refusal(input({ wishes: { settings: { [name]: 'x' } } }));
    expect([error.code, typeof error.hint]).toEqual(['BAD_SETTING', 'string']);
  });

  it.each([
    ['fsync', 'off'],
    ['fsync', 'F'],
    ['full_page_writes', 'false'],
    ['wal_level', 'minimal'],
    ['log_line_prefix', '%m '], // what pg-manage.conf says comes last, and wins
    ['shared_buffers', 'lots'],
    ['shared_buffers', '-1'],
    ['max_worker_processes', '2.5'],
    ['work_mem', "4MB'\nport = 1"],
    ['max_connections', '0'],
    ['max_connections', '3'],
  ])('%s = %j', (name, value) => {
    expect(refusal(input({ wishes: { settings: { [name]: value } } })).code).toBe('BAD_SETTING');
  });

  it('more reserved connections than leave one for a role', () => {
    const reserving = (reserved_connections: string) =>
      input({ major: 16, wishes: { settings: { reserved_connections } } });
    expect(planInstance(reserving('46')).maxConnections).toBe(50);
    expect(refusal(reserving('47'))).toMatchObject({
      message: 'of 50 connections 50 are reserved, which leaves none',
      hint: 'ask for more: --max-connections 60',
    });
  });

  it('two numbers of connections', () => {
    expect(refusal(input({ wishes: { maxConnections: 20, settings: { max_connections: '30' } } })).code).toBe(
      'BAD_SETTING',
    );
  });

  it('but synchronous_commit off is a choice that is warned of', () => {
    const plan = planInstance(input({ wishes: { settings: { synchronous_commit: 'off' } } }));
    expect(plan.warnings.join()).toContain('synchronous_commit is off');
    expect(planInstance(input({ wishes: { settings: { synchronous_commit: 'on' } } })).warnings).toEqual([]);
    expect(planInstance(input({ template: loadTemplate('testing') })).warnings).toEqual([]);
  });
});
