import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { chmodSync, readFileSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf } from '../helpers/database.ts';
import { type Block, parseProblems } from '../helpers/problems-parser.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
});
afterAll(async () => await sandbox.cleanup());

async function registry(...args: string[]): Promise<Block[]> {
  const file = join(sandbox.folder, 'PROBLEMS.md');
  const finished = await sandbox.manage(['problems', '--file', file, '--quiet', ...args]);
  expect(finished).toMatchObject({ code: 0, stdout: '', stderr: '' });
  return parseProblems(readFileSync(file, 'utf8')).filter(({ kind }) => kind !== 'PROBLEMINTEGRATION');
}

function titles(blocks: Block[]): string[] {
  return blocks.map(({ kind, title }) => `${kind} ${title}`);
}

it('holds exactly what was caused, and what was mended as resolved', async () => {
  expect(await registry()).toEqual([]);
  const { port } = await addressOf(sandbox, 'shop');
  dataOf(await sandbox.manage(['stop', 'shop', '--json']));
  const folder = join(sandbox.root, 'instances', 'shop');
  const stranger = createServer().listen(port, '127.0.0.1');
  chmodSync(join(folder, 'password'), 0o644);
  chmodSync(join(sandbox.root, 'backups', 'shop', 'wal'), 0o500);
  try {
    expect(titles(await registry())).toEqual([
      'ACTIVEPROBLEM Archive not writable (shop)',
      'ACTIVEPROBLEM Port stranger (shop)',
      'ACTIVEPROBLEM Password mode (shop)',
    ]);
    // The one that is safe to mend is mended.
    expect(titles(await registry('--fix'))).toEqual([
      'ACTIVEPROBLEM Archive not writable (shop)',
      'ACTIVEPROBLEM Port stranger (shop)',
      'RESOLVEDPROBLEM Password mode (shop)',
    ]);
    const { problems } = dataOf(await sandbox.manage(['problems', '--json']));
    expect(problems.map((one: { code: string; status: string }) => `${one.status} ${one.code}`)).toEqual([
      'active ARCHIVE_NOT_WRITABLE',
      'active PORT_STRANGER',
      'resolved PASSWORD_MODE',
    ]);
  } finally {
    await new Promise((resolve) => stranger.close(resolve));
    chmodSync(join(sandbox.root, 'backups', 'shop', 'wal'), 0o700);
  }
});

it('learns from what actions failed with, and were killed in', async () => {
  const { port } = await addressOf(sandbox, 'shop');
  const stranger = createServer().listen(port, '127.0.0.1');
  try {
    for (let time = 0; time < 2; time++) expect((await sandbox.manage(['start', 'shop'])).code).toBe(1);
    const active = (await registry()).find(({ title }) => title === 'Port in use (shop)');
    expect(active).toMatchObject({ kind: 'ACTIVEPROBLEM', fields: { Frequency: 'occasional', Severity: 'high' } });
    expect(active?.sections['Description']?.['']).toMatch(/^start failed: port \d+ /);
  } finally {
    await new Promise((resolve) => stranger.close(resolve));
  }
  dataOf(await sandbox.manage(['start', 'shop', '--json']));
  expect((await sandbox.manage(['backup', 'shop'], { env: { PG_MANAGE_TEST_KILL_AT: '2' } })).code).toBe(137);
  dataOf(await sandbox.manage(['recover', '--json']));
  const { problems } = dataOf(await sandbox.manage(['problems', '--json']));
  const told = problems.map((one: Record<string, string>) => `${one['status']} ${one['code']} ${one['resolvedBy']}`);
  expect(told).toContainEqual(expect.stringMatching(/^resolved PORT_IN_USE start by /));
  expect(told).toContainEqual(expect.stringMatching(/^resolved UNFINISHED_OPERATION /));
});

it('what puts the data in doubt is escalated: said by the exit status, also to cron, until a person has decided', async () => {
  dataOf(await sandbox.manage(['stop', 'shop', '--json']));
  const control = join(sandbox.root, 'instances', 'shop', 'data', 'global', 'pg_control');
  renameSync(control, `${control}.away`);
  const { code, stdout } = await sandbox.manage(['problems', '--quiet']);
  renameSync(`${control}.away`, control);
  expect({ code, stdout }).toEqual({ code: 7, stdout: expect.stringMatching(/^active +critical +.*Instance broken/m) });
  expect((await sandbox.manage(['problems', '--quiet'])).code).toBe(0);
});
