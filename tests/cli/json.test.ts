import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Finished, makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
});
afterAll(async () => await sandbox.cleanup());

/** What the contract says of every document, whatever came of the action. */
function expectContract(finished: Finished): void {
  const { code, stdout, json } = finished;
  expect(stdout.endsWith('\n')).toBe(true);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  const document = json();
  for (const one of [document, ...(document.results ?? [])]) {
    expect(one).toMatchObject({ schema: 1, action: expect.any(String), ok: expect.any(Boolean) });
    expect(one.warnings).toBeInstanceOf(Array);
    if (one.ok) expect(one.error).toBeUndefined();
    else {
      expect(one.data).toBeUndefined();
      expect(one.error).toMatchObject({ message: expect.stringMatching(/\S/), hint: expect.any(String) });
      expect(one.error?.code).toMatch(/^[A-Z][A-Z_]+$/);
      expect(one.error?.exitCode).toBeGreaterThan(0);
    }
  }
  expect(document.error?.exitCode ?? (document.ok ? code : undefined)).toBe(code);
}

describe('on an empty host', () => {
  it('list is an empty list', async () => {
    const finished = await sandbox.manage(['list', '--json']);
    expectContract(finished);
    expect(finished.json()).toEqual({ schema: 1, action: 'list', ok: true, data: { instances: [] }, warnings: [] });
  });

  it.each(['status', 'start', 'stop', 'backup', 'restart', 'connect'])('%s all has nothing to do', async (action) => {
    const finished = await sandbox.manage([action, 'all', '--json']);
    expectContract(finished);
    expect(finished.code).toBe(0);
    expect(finished.json()).toEqual({ schema: 1, action, ok: true, results: [], warnings: [] });
  });

  it('status all says so to people on stderr', async () => {
    const { code, stdout, stderr } = await sandbox.manage(['status', 'all']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('nothing to do');
  });

  it.each(['nobody', 'nobody*', 'a,b'])('status %s finds no such instance', async (selector) => {
    const finished = await sandbox.manage(['status', selector, '--json']);
    expectContract(finished);
    expect(finished.code).toBe(4);
    expect(finished.json().error?.code).toBe('INSTANCE_NOT_FOUND');
  });

  it.each([
    [['--action', 'frobnicate', '--json'], 'USAGE', 'frobnicate'],
    [['--json', 'status', 'a', '--frobnicate'], 'USAGE', 'status'],
    [['status', 'a', 'b', '--json'], 'USAGE', 'status'],
    [['--json', '--action', 'status', '-i'], 'USAGE', 'status'],
    [['create', '1st', '--json'], 'BAD_NAME', 'create'],
    [['create', 'a', '--json', '--port', '80'], 'BAD_PORT', 'create'],
    [['create', 'a', '--json', '--timeout', 'x'], 'USAGE', 'create'],
    [['create', 'a', '--json', '--template', 'nope'], 'BAD_TEMPLATE', 'create'],
    [['destroy', 'a', '--json'], 'CONFIRMATION_REQUIRED', 'destroy'],
  ])('%j is told as JSON, too', async (args, code, action) => {
    const finished = await sandbox.manage(args);
    expectContract(finished);
    expect(finished).toMatchObject({ code: 2, stderr: '' });
    expect(finished.json()).toMatchObject({ action, ok: false, error: { code } });
  });
});

describe('with instances', () => {
  beforeAll(async () => {
    await sandbox.create('client-b');
    // A second one that is stopped, without the time that making it takes.
    await sandbox.create('client-a', '--template', 'minimal');
    await sandbox.manage(['stop', 'client-a']);
  });

  it('status gives the promised fields', async () => {
    const finished = await sandbox.manage(['status', 'client-b', '--json']);
    expectContract(finished);
    const { instance, data } = finished.json();
    expect(instance).toBe('client-b');
    expect(data).toMatchObject({
      name: 'client-b',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      state: 'running',
      port: expect.any(Number),
      version: expect.any(Number),
      template: 'development',
      dataDirectory: expect.stringContaining(sandbox.root),
      connections: { used: expect.any(Number), max: expect.any(Number) },
      memory: { committedBytes: expect.any(Number) },
      lastBackup: null,
      lastVerifiedBackup: null,
    });
  });

  it('list gives the same of each', async () => {
    const finished = await sandbox.manage(['list', '--json']);
    expectContract(finished);
    const { instances } = finished.json().data;
    expect(instances).toMatchObject([
      { name: 'client-a', state: 'stopped', template: 'minimal', port: expect.any(Number), lastBackup: null },
      { name: 'client-b', state: 'running', template: 'development', port: expect.any(Number), lastBackup: null },
    ]);
  });

  it('several are answered one by one, as selected, and some failing is 5', async () => {
    const finished = await sandbox.manage(['status', 'client-b,client-a', '--json']);
    expectContract(finished);
    expect(finished.code).toBe(5);
    const { results, ok, error } = finished.json();
    expect(ok).toBe(false);
    expect(error).toMatchObject({ code: 'SOME_FAILED', exitCode: 5 });
    expect(results?.map(({ instance, data }) => [instance, data.state])).toEqual([
      ['client-b', 'running'],
      ['client-a', 'stopped'],
    ]);
  });

  it('a failure of one does not hold up the others', async () => {
    const finished = await sandbox.manage(['backup', 'all', '--no-verify', '--json']);
    expectContract(finished);
    expect(finished.code).toBe(5);
    expect(finished.json().results).toMatchObject([
      { instance: 'client-a', ok: false, error: { code: 'INSTANCE_NOT_RUNNING', exitCode: 3 } },
      { instance: 'client-b', ok: true, data: { state: 'complete', sizeBytes: expect.any(Number) } },
    ]);
  });

  it('one that is selected by a glob is answered in a list', async () => {
    const finished = await sandbox.manage(['status', 'client-[b]', '--json']);
    expectContract(finished);
    expect(finished.json().results).toMatchObject([{ instance: 'client-b', ok: true }]);
  });

  it('warnings are in the document', async () => {
    const finished = await sandbox.manage(['create', 'quick', '--template', 'testing', '--json', '--dry-run']);
    expectContract(finished);
    expect(finished.code).toBe(0);
  });
});
