import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../../lib/errors.ts';
import { parseTemplate } from '../../../lib/tuning/template-file.ts';
import { loadTemplate, templateNames } from '../../../lib/tuning/templates.ts';

const head = 'description: d\nworkload: web\nmemory: 5%\nconnections: 30\n';

function faultOf(text: string): AppError {
  try {
    parseTemplate('/t.yaml', text);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('accepted');
}

it('ships the templates that users know', () => {
  expect(templateNames()).toEqual([
    'development',
    'ecommerce',
    'minimal',
    'production',
    'real-estate',
    'saas',
    'testing',
  ]);
  for (const name of templateNames()) {
    const { connections, durable } = loadTemplate(name);
    expect(connections).toBeGreaterThanOrEqual(25);
    expect(connections).toBeLessThanOrEqual(100);
    expect(durable).toBe(name !== 'testing');
  }
});

describe('loadTemplate', () => {
  it('suggests the nearest name', () => {
    expect(() => loadTemplate('prodction')).toThrow('there is no template "prodction"; did you mean production?');
  });

  it('reads a file by path', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pg-manage-template-'));
    try {
      writeFileSync(join(folder, 'mine.yml'), head);
      expect(loadTemplate(join(folder, 'mine.yml'))).toMatchObject({
        name: 'mine',
        connections: 30,
        memory: { share: 0.05 },
      });
      expect(() => loadTemplate(join(folder, 'other.yaml'))).toThrow(expect.objectContaining({ code: 'BAD_TEMPLATE' }));
      expect(() => loadTemplate(folder)).toThrow(expect.objectContaining({ code: 'BAD_TEMPLATE' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('parseTemplate', () => {
  it('keeps values as they are written, and the comments beside them', () => {
    const text = `${head}reserved: 2\nsettings:\n  # above\n  jit: off # never\n  log_file_mode: 0640\n  seq_page_cost: 1e0\n`;
    expect(parseTemplate('/t.yaml', text)).toEqual({
      description: 'd',
      workload: 'web',
      memory: { share: 0.05 },
      connections: 30,
      reserved: 2,
      durable: true,
      settings: { jit: 'off', log_file_mode: '0640', seq_page_cost: '1e0' },
      comments: { jit: 'never' },
      lines: { jit: 8, log_file_mode: 9, seq_page_cost: 10 },
    });
  });

  it.each([
    ['conections: 3\n', '/t.yaml:5: unknown key "conections"; did you mean connections?'],
    ['work_mem: 4MB\n', '/t.yaml:5: unknown key "work_mem"; it goes below settings:'],
    ['least: lots\n', '/t.yaml:5: least: "lots" is no size'],
    ['settings:\n  fsync: off\n', '/t.yaml:6: fsync may be off only'],
    ['settings:\n  full_page_writes: "0"\n', '/t.yaml:6: full_page_writes may be off only'],
    ['settings:\n  synchronous_commit: no\n', '/t.yaml:6: synchronous_commit may be off only'],
    ['settings:\n  port: 5432\n', '/t.yaml:6: port is not for templates'],
    ['settings:\n  recovery_target_time: x\n', '/t.yaml:6: recovery_target_time is not for templates'],
    ['settings:\n  max_connections: 9\n', '/t.yaml:6: max_connections: write it as connections'],
    ['settings:\n  work_mem:\n', '/t.yaml:6: settings.work_mem: has no value'],
    ['settings:\n  work_mem: [1, 2]\n', '/t.yaml:6: settings.work_mem: must be one value'],
    ['settings:\n  jit: off\n  jit: on\n', '/t.yaml:7: Map keys must be unique'],
    ['durable: maybe\n', '/t.yaml:5: durable:'],
    ['reserved: many\n', '/t.yaml:5: reserved: must be a whole number'],
    ['settings: [', '/t.yaml:'],
  ])('refuses %j', (text, message) => {
    const error = faultOf(head + text);
    expect(error.code).toBe('BAD_TEMPLATE');
    expect(error.message).toContain(message);
  });

  it.each(['5', '150%', '0%', 'much'].slice(1))('refuses memory %s', (memory) => {
    expect(faultOf(head.replace('5%', memory)).message).toContain('/t.yaml:3: memory:');
  });

  it('tells every fault', () => {
    const error = faultOf('workload: webb\nmemory: lots\nextra: 1\n');
    expect(error.message).toContain('more)');
    expect(error.output?.split('\n')).toHaveLength(5);
    expect(faultOf('').message).toContain('/t.yaml:1:');
  });

  it('lets a template that says so give durability up', () => {
    const { durable, settings } = parseTemplate('/t.yaml', `${head}durable: false\nsettings: { fsync: off }\n`);
    expect([durable, settings]).toEqual([false, { fsync: 'off' }]);
  });
});
