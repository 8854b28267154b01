import { describe, expect, it } from '@jest/globals';
import { planInstance } from '../../../lib/tuning/plan.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { input, reasonIn, refusal, valueIn } from './input.ts';

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

  it('says what --overcommit takes beyond it', () => {
    const others = [{ name: 'a', committedBytes: 20 * GB }];
    expect(planInstance(input({ others, overcommit: true })).warnings[0]).toBe(
      "--overcommit: all instances of this host commit 21.1 GB with this one, and the budget is 19.2 GB (80 % of this host's 24 GB)",
    );
    const { committedBytes, budgetBytes } = planInstance(input());
    const fits = [{ name: 'a', committedBytes: budgetBytes - committedBytes, stressBytes: 0 }];
    expect(planInstance(input({ others: fits, overcommit: true })).warnings).toEqual([]);
  });

  it('counts what the others take at a busy moment', () => {
    const busy = (stressBytes: number) =>
      planInstance(input({ others: [{ name: 'a', committedBytes: 1, stressBytes }] })).warnings;
    const left = 24 * GB - planInstance(input()).stressBytes;
    expect(busy(left)).toEqual([]);
    expect(busy(left + 1)).toEqual([expect.stringContaining('at a busy moment')]);
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
    const warnings = (of: Record<string, string>, streaming = true) =>
      planInstance(input({ streaming, wishes: { settings: of } })).warnings;
    expect(warnings({ max_wal_senders: '3', max_replication_slots: '2' })).toEqual([]);
    expect(warnings({ max_replication_slots: '1' })).toEqual([
      'max_replication_slots is 1: the receiver and a backup together need 2',
    ]);
    expect(warnings({ max_replication_slots: '1' }, false)).toEqual([]);
  });
});
