import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query } from '../helpers/database.ts';

let sandbox: Sandbox;
let address: Address;
beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
  address = await addressOf(sandbox, 'shop');
});
afterAll(async () => await sandbox.cleanup());

async function fail(sql: string): Promise<void> {
  await expect(query(address, sql)).rejects.toThrow();
}

/** Begins it with its stdout in a file, and waits until that holds the words. */
function watching(args: string[]) {
  const file = join(sandbox.folder, 'stdout');
  writeFileSync(file, ''); // it is read before the shell has made it
  const running = sandbox.begin(args, { inside: ['/bin/sh', '-c', 'exec "$@" >"$0"', file] });
  const text = (): string => readFileSync(file, 'utf8');
  const says = async (words: RegExp): Promise<void> => {
    const limits = { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 };
    expect(await poll(() => words.test(text()) || undefined, limits)).toBe(true);
  };
  return { running, text, says };
}

describe('logs', () => {
  it('shows the last lines, and with --severity whole entries that are at least so bad', async () => {
    await fail('select 1/0');
    const { name, folder, lines } = dataOf(await sandbox.manage(['logs', 'shop', '--severity', 'ERROR', '--json']));
    expect([name, folder]).toEqual(['shop', join(sandbox.root, 'instances', 'shop', 'log')]);
    expect(lines.at(-2)).toMatch(/shop@shop ERROR: {2}division by zero$/);
    expect(lines.at(-1)).toMatch(/shop@shop STATEMENT: {2}select 1\/0$/);
    expect(lines.filter((line: string) => line.includes(' LOG: '))).toEqual([]);
    expect((await sandbox.manage(['logs', 'shop', '--lines', '1'])).stdout).toBe(`${lines.at(-1)}\n`);
  });

  it('names the instance in each line where several may be meant', async () => {
    const { stdout } = await sandbox.manage(['logs', 'sh*', '--lines', '3']);
    expect(stdout.trimEnd().split('\n')).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^shop \| /)));
  });

  it('--follow goes on with what comes until it is stopped, and that is no failure', async () => {
    const { running, text, says } = watching(['logs', 'sh*', '--follow', '--severity', 'ERROR', '--lines', '1']);
    await says(/STATEMENT: {2}select 1\/0\n/);
    await fail('select no_such_column');
    await says(/select no_such_column\n/);
    running.kill('SIGINT');
    const { code, stderr } = await running.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [first, ...more] = text().trimEnd().split('\n');
    expect(first).toMatch(/STATEMENT: {2}select 1\/0$/);
    expect(more).toEqual([
      expect.stringMatching(/^shop \| .* ERROR: {2}column "no_such_column" does not exist/),
      expect.stringMatching(/^shop \| .* STATEMENT: {2}select no_such_column$/),
    ]);
  });

  it('--follow ends with its reader, and is no answer for --json', async () => {
    const piped = sandbox.begin(['logs', 'shop', '--follow'], { inside: ['/bin/sh', '-c', '"$@" | head -n 1', 'sh'] });
    // Something is written after the reader has gone: that is how it is noticed.
    const ended = piped.finished.then(() => true);
    const limits = { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 };
    expect(await poll(async () => await Promise.race([ended, fail('select 1/0').then(() => undefined)]), limits)).toBe(
      true,
    );
    const refused = await sandbox.manage(['logs', 'shop', '--follow', '--json']);
    expect([refused.code, refused.json().error?.code]).toEqual([2, 'USAGE']);
  });
});
