import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { parseMetrics } from '../helpers/promql.ts';

let sandbox: Sandbox;
let port: number;
beforeAll(async () => {
  sandbox = await makeSandbox();
  port = Number(sandbox.portRange.split('-')[0]);
});
afterAll(async () => await sandbox.cleanup());

describe('metrics of a host without instances', () => {
  it('go to stdout, and in --json into data.metrics', async () => {
    const { stdout } = await sandbox.manage(['metrics']);
    expect(parseMetrics(stdout).get('pg_manage_host_committed_bytes')).toEqual([{ labels: {}, value: 0 }]);
    const { metrics, ...counts } = dataOf(await sandbox.manage(['metrics', '--json']));
    expect(counts).toMatchObject({ instances: 0, up: 0 });
    expect([...parseMetrics(metrics).keys()]).toEqual([...parseMetrics(stdout).keys()]);
  });

  it('are written whole, for all to read, and leave nothing else', async () => {
    const path = join(sandbox.folder, 'pg.prom');
    for (const _ of ['made', 'replaced']) {
      expect(await sandbox.manage(['metrics', '--textfile', 'pg.prom', '--quiet'])).toMatchObject({
        code: 0,
        stderr: '',
      });
    }
    expect(parseMetrics(readFileSync(path, 'utf8')).has('pg_manage_last_run_timestamp_seconds')).toBe(true);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('644');
    expect(listTree(sandbox.folder).map((line) => line.split(' ')[0])).toEqual(['pg.prom']);
  });

  it.each([
    [['--textfile', 'pg.txt'], 'reads *.prom files only'],
    [['--textfile', 'no/such/pg.prom'], 'cannot be written'],
    [['--textfile', 'a.prom', '--listen', '9188'], 'choose one'],
    [['--listen', '80'], '"80" is no port'],
  ])('%j is a usage error', async (args, words) => {
    const { code, stdout, stderr } = await sandbox.manage(['metrics', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('are served on loopback until %s', async (signal) => {
    const running = sandbox.begin(['metrics', '--listen', String(port)]);
    const ask = async (path: string): Promise<Response> => await fetch(`http://127.0.0.1:${port}${path}`);
    const limits = { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 };
    const first = await poll(async () => await ask('/metrics').catch(() => undefined), limits);
    expect([first?.status, first?.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(parseMetrics((await first?.text()) ?? '').has('pg_manage_build_info')).toBe(true);
    expect((await ask('/')).status).toBe(404);
    running.kill(signal);
    const { code, stdout, stderr } = await running.finished;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe(`metrics are at http://127.0.0.1:${port}/metrics until Ctrl-C\n`);
  });

  it('cannot be served where another program listens', async () => {
    const stranger = createServer().listen(port, '127.0.0.1');
    try {
      const { code, stderr } = await sandbox.manage(['metrics', '--listen', String(port)]);
      expect(code).toBe(1);
      expect(stderr).toContain('[PORT_IN_USE]');
    } finally {
      await new Promise((resolve) => stranger.close(resolve));
    }
  });
});
