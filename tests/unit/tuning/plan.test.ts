import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../lib/errors.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { planInstance, type Plan, type PlanInput } from '../../../lib/tuning/plan.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

function input(changes: Partial<PlanInput> & { template?: PlanInput['template'] } = {}): PlanInput {
  return {
    host: { memoryBytes: bytes(24 * GB), cores: 2 },
    template: loadTemplate('production'),
    major: 15,
    others: [],
    wishes: {},
    budgetShare: 0.8,
    overcommit: false,
    ...changes,
  };
}

function valueIn(plan: Plan, name: string): string | undefined {
  return plan.settings.find((setting) => setting.name === name)?.value;
}

function reasonIn(plan: Plan, name: string): string | undefined {
  return plan.settings.find((setting) => setting.name === name)?.reason;
}

function refusal(wrong: PlanInput): AppError {
  try {
    planInstance(wrong);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('planned');
}

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

  it('two numbers of connections', () => {
    expect(refusal(input({ wishes: { maxConnections: 20, settings: { max_connections: '30' } } })).code).toBe(
      'BAD_SETTING',
    );
  });

  it('but synchronous_commit off is a choice that is warned of', () => {
    const plan = planInstance(input({ wishes: { settings: { synchronous_commit: 'off' } } }));
    expect(plan.warnings.join()).toContain('synchronous_commit is off');
    expect(planInstance(input({ template: loadTemplate('testing') })).warnings).toEqual([]);
  });
});

describe('the budget', () => {
  const small = { memoryBytes: bytes(1 * GB), cores: 1 };

  it('lowers a template’s connections to fit, and says so', () => {
    const plan = planInstance(input({ host: small }));
    expect(plan.maxConnections).toBeLessThan(50);
    expect(plan.warnings.join()).toContain('template production has 50 connections');
    expect(reasonIn(plan, 'max_connections')).toContain('lowered from 50');
  });

  it('never lowers what was asked for, and its hint works', () => {
    const wrong = input({ host: small, wishes: { maxConnections: 100 } });
    const error = refusal(wrong);
    expect(error.code).toBe('MEMORY_BUDGET');
    const memory = Number(/--memory (\d+)MB/.exec(error.hint ?? '')?.[1]);
    expect(planInstance({ ...wrong, wishes: { maxConnections: 100, memoryBytes: memory * MB } }).maxConnections).toBe(
      100,
    );
    const fewer = Number(/--max-connections (\d+)/.exec(error.hint ?? '')?.[1]);
    expect(planInstance({ ...wrong, wishes: { maxConnections: fewer } }).maxConnections).toBe(fewer);
  });

  it('refuses when the others leave too little, with the numbers and the cheapest way out', () => {
    const others = [
      { name: 'a', committedBytes: 600 * MB },
      { name: 'b', committedBytes: 200 * MB },
    ];
    const error = refusal(input({ host: small, others }));
    expect(error.code).toBe('MEMORY_BUDGET');
    expect(error.message).toContain(
      "the budget is 819.2 MB (80 % of this host's 1 GB), 2 other instances have committed 800 MB",
    );
    expect(error.hint).toContain('b holds 200 MB');
  });

  it.each([13, 15, 16, 17, 18])('holds five production instances in 1 GB, and no sixth (PostgreSQL %d)', (major) => {
    const others: { name: string; committedBytes: number; stressBytes: number }[] = [];
    const lone = planInstance(input({ host: small, major }));
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const plan = planInstance(input({ host: small, others, major }));
      expect(plan.maxConnections).toBeGreaterThanOrEqual(35);
      if (others.length > 0) expect(plan.settings).not.toEqual(lone.settings);
      others.push({ name, committedBytes: plan.committedBytes, stressBytes: plan.stressBytes });
    }
    const error = refusal(input({ host: small, others, major }));
    expect(error.code).toBe('MEMORY_BUDGET');
    expect(error.message).toContain('the least template production needs is 150 MB');
    const left = Number(/--memory (\d+)MB/.exec(error.hint ?? '')?.[1]) * MB;
    const squeezed = planInstance(input({ host: small, others, major, wishes: { memoryBytes: left } }));
    expect(squeezed.committedBytes + squeezed.othersBytes).toBeLessThanOrEqual(squeezed.budgetBytes);
    expect(planInstance(input({ host: small, others, major, overcommit: true })).warnings.join()).toContain(
      '--overcommit: all instances of this host commit',
    );
  });

  it('takes what is left when the template would take more', () => {
    const plan = planInstance(input({ others: [{ name: 'a', committedBytes: 18.8 * GB }] }));
    expect(plan.committedBytes + plan.othersBytes).toBeLessThanOrEqual(plan.budgetBytes);
    expect(plan.warnings.join()).toContain('are left');
  });

  it('refuses more --memory than is left, and offers that', () => {
    const error = refusal(input({ wishes: { memoryBytes: 20 * GB } }));
    expect([error.code, error.hint]).toEqual(['MEMORY_BUDGET', 'ask for what is left: --memory 19660MB']);
  });

  it('raises --memory to what a server needs', () => {
    const plan = planInstance(input({ wishes: { memoryBytes: MB } }));
    expect(valueIn(plan, 'shared_buffers')).toBe('16MB');
    expect(plan.warnings.join()).toContain('1 MB are too little');
  });

  it('warns of a work_mem that the host cannot bear', () => {
    const plan = planInstance(input({ wishes: { settings: { work_mem: '2GB' } } }));
    expect(plan.warnings.join()).toContain('at a busy moment');
  });
});

describe('an instance whose WAL is streamed', () => {
  it('has a limit to what a dead receiver holds back, and room for it beside a backup', () => {
    const plan = planInstance(input({ streaming: true }));
    expect(valueIn(plan, 'max_slot_wal_keep_size')).toBe(valueIn(plan, 'max_wal_size'));
    expect(reasonIn(plan, 'max_slot_wal_keep_size')).toContain('no disk fills up');
    expect(plan.warnings).toEqual([]);
    expect(planInstance(input()).settings.map(({ name }) => name)).not.toContain('max_slot_wal_keep_size');
  });

  it('follows a max_wal_size of your own, and leaves what you say of slots alone', () => {
    const larger = planInstance(input({ streaming: true, wishes: { settings: { max_wal_size: '8GB' } } }));
    expect(valueIn(larger, 'max_slot_wal_keep_size')).toBe('8GB');
    const settings = { max_slot_wal_keep_size: '20GB', max_wal_senders: '2' };
    const own = planInstance(input({ streaming: true, wishes: { settings } }));
    expect(valueIn(own, 'max_slot_wal_keep_size')).toBe('20GB');
    expect(own.warnings).toEqual(['max_wal_senders is 2: the receiver and a backup together need 3']);
  });
});
