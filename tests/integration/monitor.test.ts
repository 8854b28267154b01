import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { readPostmasterFile } from '../../lib/postgres/postmaster.ts';
import { dataOf } from '../helpers/answer.ts';
import { beginProgram, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
  await sandbox.create('blog', '--template', 'testing');
});
afterAll(async () => await sandbox.cleanup());

/** Names and states of the lines a pipe gets. */
function told(stdout: string): string[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').slice(1, 3).join(' '));
}

describe('monitor', () => {
  it('tells a line for each instance and round where there is no terminal', async () => {
    const { code, stdout, stderr } = await sandbox.manage(['monitor', '--count', '2', '--interval', '1']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(told(stdout)).toEqual(['blog running', 'shop running', 'blog running', 'shop running']);
  });

  it('counts what goes on between two looks', async () => {
    const running = sandbox.begin(['monitor', 'shop', '--count', '3', '--interval', '1', '--json']);
    const address = await addressOf(sandbox, 'shop');
    let ended = false;
    const finished = running.finished.finally(() => (ended = true));
    while (!ended) await query(address, 'select 1');
    const { rounds } = dataOf(await finished);
    const [first, , last] = rounds.map((round: { instances: unknown[] }) => round.instances[0]);
    expect(first).toMatchObject({ name: 'shop', state: 'running', transactionsPerSecond: null });
    expect(last.transactionsPerSecond).toBeGreaterThan(1);
    expect(last.cacheHitRatio).toBeGreaterThan(0.5);
  });

  it('is not held up by an instance that stands still', async () => {
    const pid = readPostmasterFile(join(sandbox.root, 'instances', 'shop', 'data'))?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const { rounds } = dataOf(await sandbox.manage(['monitor', '--count', '2', '--interval', '1', '--json']));
      for (const { instances } of rounds) {
        expect(instances).toMatchObject([
          { name: 'blog', state: 'running', waiting: 0 },
          { name: 'shop', state: 'starting', waiting: null },
        ]);
      }
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('has a screen of its own on a terminal, gives it back, and leaves what it showed last', async () => {
    const command = `stty cols 80 rows 24; exec ${manageProgram} monitor --count 2 --interval 1 --no-color`;
    const { code, stdout } = await beginProgram('script', ['-qec', command, '/dev/null'], {
      env: { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, TERM: 'xterm', SHELL: '/bin/sh' },
    }).finished;
    expect(code).toBe(0);
    const [, screen = '', after = ''] = /\u001b\[\?1049h([\s\S]*)\u001b\[\?1049l([\s\S]*)/.exec(stdout) ?? [];
    expect(screen.split('\u001b[H')).toHaveLength(3);
    expect(screen).toContain('2 instances, 2 running');
    expect(screen).not.toContain('\u001b[2J');
    expect(after.split('\n').map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining(['instance', 'blog', 'shop']),
    );
  });

  it.each([
    [['--json'], 'say how long'],
    [['--interval', '0.5'], '--interval is a second or more'],
    [['--count', '0'], '--count is 1 or more'],
  ])('%j is a usage error', async (args, words) => {
    const { code, stdout, stderr } = await sandbox.manage(['monitor', ...args]);
    expect(code).toBe(2);
    expect(stdout + stderr).toContain(words);
  });
});
