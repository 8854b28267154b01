import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { AppError } from '../../../lib/errors.ts';
import { parseFleet, readFleet } from '../../../lib/fleet/file.ts';
import { projectDirectory } from '../../../lib/host/project.ts';

/** What is wrong with a text, without the file's name. */
function faultsOf(text: string): string[] {
  try {
    parseFleet('/f.yaml', text);
    return [];
  } catch (error) {
    const { code, message, output } = error as AppError;
    expect(code).toBe('BAD_FLEET');
    return (output ?? message).split('\n').map((line) => line.replace('/f.yaml:', ''));
  }
}

describe('a fleet file', () => {
  it('needs no more than names', () => {
    expect(parseFleet('/srv/fleet.yaml', 'instances:\n  client-a:\n')).toEqual({
      instances: [
        {
          name: 'client-a',
          state: 'running',
          template: 'development',
          major: undefined,
          port: undefined,
          portRange: undefined,
          tuning: {},
          overcommit: false,
          archive: 'command',
          role: undefined,
          database: undefined,
          locale: undefined,
          contents: { migrations: undefined, seeds: undefined },
          pooler: undefined,
          databases: [],
          users: [],
        },
      ],
      schedule: undefined,
      autostart: undefined,
    });
  });

  it('says all there is to say, with paths from where it stands', () => {
    const { instances, schedule, autostart } = parseFleet(
      '/srv/fleet.yaml',
      `
defaults: { template: ./own.yaml, set: { work_mem: 8MB, jit: off }, users: { report: { privileges: read } } }
instances:
  shop:
    state: stopped
    pg-version: 16
    port: 5440
    memory: 2GB
    max-connections: 120
    overcommit: true
    set: { work_mem: 16MB }
    pooler: { mode: session, size: 20, port: auto }
    migrations-dir: ./migrations
    databases: { reports: { owner: analyst, seed-path: seeds/a.sql } }
    users:
      analyst: { privileges: { shop: [read, temporary], reports: all }, member-of: report }
  other: { template: saas, users: any, databases: any, pooler: true }
schedule: { instances: 'client-*', backup: daily, prove: weekly, keep: 7, jitter: 0, with: cron }
autostart: true
`,
    );
    const [shop, other] = instances;
    expect(shop).toMatchObject({
      state: 'stopped',
      template: '/srv/own.yaml',
      major: 16,
      port: 5440,
      tuning: { memoryBytes: 2 ** 31, maxConnections: 120, settings: { work_mem: '16MB', jit: 'off' } },
      overcommit: true,
      contents: { migrations: '/srv/migrations' },
      pooler: { mode: 'session', size: 20, port: undefined },
      databases: [{ name: 'reports', owner: 'analyst', contents: { seeds: '/srv/seeds/a.sql' } }],
    });
    expect(shop?.users).toMatchObject([
      { name: 'report', privileges: [{ words: { onTables: 'read' } }], memberOf: [] },
      {
        name: 'analyst',
        privileges: [
          { database: 'shop', words: { onTables: 'read', onDatabase: ['temporary'] } },
          { database: 'reports', words: { onTables: 'all' } },
        ],
        memberOf: ['report'],
      },
    ]);
    expect(other).toMatchObject({ template: 'saas', users: 'any', databases: 'any', pooler: {} });
    expect(schedule).toMatchObject({ selector: 'client-*', backup: '30 3 * * *', keep: 7, jitterSeconds: 0 });
    expect(autostart).toBe(true);
  });

  it('lets an instance do without what is usual', () => {
    const text =
      'defaults: { pooler: true, users: { a: {} } }\ninstances:\n  x: { pooler: false, users: any }\n  y: {}\n';
    expect(parseFleet('/f.yaml', text).instances).toMatchObject([
      { pooler: undefined, users: 'any' },
      { pooler: {}, users: [{ name: 'a' }] },
    ]);
  });

  it('is as the example shows', () => {
    const { instances } = readFleet(join(projectDirectory, 'templates', 'fleet.example.yaml'));
    expect(instances.map(({ name }) => name)).toEqual(['client-a', 'client-b', 'shop', 'old-client']);
  });

  it('may share parts by anchors', () => {
    const text = 'instances:\n  x: &usual { template: saas }\n  y: { <<: *usual, memory: 1GB }\n';
    expect(parseFleet('/f.yaml', text).instances).toMatchObject([{ template: 'saas' }, { template: 'saas' }]);
  });
});

describe('a fault is told with line and column', () => {
  it.each([
    ['instances:\n  a:\n    templte: saas\n', ['3:5: unknown key "templte"; did you mean template?']],
    [
      'instances:\n  a:\n    users:\n      b: { privilege: read }\n',
      ['4:12: unknown key "privilege"; did you mean privileges?'],
    ],
    ['instances:\n  a:\n    databases:\n      b: { ownr: x }\n', ['4:12: unknown key "ownr"; did you mean owner?']],
    ['instances:\n  a:\n    pooler: { mode: often }\n', [expect.stringContaining('3:15: instances.a.pooler.mode: ')]],
    ['instances:\n  a:\n    users:\n      b: { privileges: raed }\n', [expect.stringContaining('did you mean read?')]],
    [
      'instances:\n  a:\n    users: { b: { password: x } }\n',
      [expect.stringMatching(/^3:19: .*connect --username shows one$/)],
    ],
    ['instances:\n  1st: {}\n', [expect.stringContaining('2:3: instances.1st: ')]],
    ['instances:\n  a: {}\n  A: {}\n', ['3:3: A and a are one name: case does not count']],
    ['instances:\n  a: { port: 5440 }\n  b: { port: 5440 }\n', ["3:8: port 5440 is a's already"]],
    ['instances:\n  a: { port: 80 }\n', ['2:8: instances.a.port: "80" is no port']],
    ['instances:\n  a: { memory: lots }\n', ['2:8: instances.a.memory: "lots" is not a size']],
    ['instances:\n  a:\n    set:\n      port: 1\n', [expect.stringMatching(/^4:7: port is not for templates/)]],
    [
      'instances:\n  a: { databases: { a: {} } }\n',
      [expect.stringMatching(/^2:8: a and postgres are there by themselves/)],
    ],
    [
      'instances:\n  a: { users: { b: { privileges: { c: read } } } }\n',
      ['2:17: privileges on c, which is no database of a'],
    ],
    [
      'schedule: { backup: sometimes }\ninstances: {}\n',
      [expect.stringMatching(/^1:13: schedule.backup: "sometimes" is no time/)],
    ],
    ['schedule: { keep: 3 }\ninstances: {}\n', ['1:1: schedule: says neither when to back up nor when to prove']],
    ['instances:\n  a: {\n', [expect.stringMatching(/^\d:\d+: /)]],
    ['instances:\n  a: {}\n  a: {}\n', ['3:3: Map keys must be unique at line 3, column 3:']],
    ['', [expect.stringContaining('the file: ')]],
    ['instanzes: {}\n', [expect.anything(), expect.stringContaining('did you mean instances?')]],
  ])('%j', (text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it('all of them at once, in the order of the file', () => {
    const text = 'instances:\n  a:\n    memry: 1GB\n    port: x\n  b: { template: 7, sett: {} }\n';
    expect(faultsOf(text).map((line) => line.split(':')[0])).toEqual(['3', '4', '5']);
  });
});
