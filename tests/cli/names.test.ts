import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let before: string[];
beforeAll(async () => {
  sandbox = await makeSandbox();
  before = listTree(sandbox.folder);
});
afterAll(async () => await sandbox.cleanup());

const bad = [
  'all',
  'ALL',
  '1st',
  '_a',
  'a/b',
  '../a',
  '',
  'é',
  'a\nb',
  "a'b",
  'client-*',
  'a,,b',
  'a,all',
  'x'.repeat(64),
];

describe('a name that cannot be one', () => {
  it.each(bad)('%j is refused by create before anything is touched', async (name) => {
    const { code, stderr } = await sandbox.manage(['create', `--instance=${name}`]);
    expect(stderr).toMatch(/cannot be the name of an instance \[BAD_NAME\]/);
    expect(stderr).toMatch(/\nhint {2}a name begins with a letter/);
    expect(code).toBe(2);
    expect(listTree(sandbox.folder)).toEqual(before);
  });

  it.each(['1st', '../a', '', 'a[', '{a}*'])(
    '%j selects nothing for any other action: a usage error',
    async (selector) => {
      for (const action of ['status', 'backup']) {
        const { code, stderr } = await sandbox.manage([action, `--instance=${selector}`]);
        expect(stderr).toMatch(/\[(BAD_NAME|BAD_SELECTOR)\]/);
        expect(code).toBe(2);
      }
      expect(listTree(sandbox.folder)).toEqual(before);
    },
  );

  it('is refused as the new name of a restore, too', async () => {
    const { code, stderr } = await sandbox.manage(['restore', 'a', '--as', '../b']);
    expect(stderr).toContain('[BAD_NAME]');
    expect(code).toBe(2);
    expect(listTree(sandbox.folder)).toEqual(before);
  });
});

it('63 characters are not too many', async () => {
  const { code, stderr } = await sandbox.manage(['create', 'x'.repeat(63), '--dry-run']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(listTree(sandbox.folder)).toEqual(before);
});

describe('where an instance is there', () => {
  beforeAll(async () => {
    await sandbox.create('client-a');
  });

  it.each(['client-a', 'Client-A', 'CLIENT-A'])('create %s is refused: names do not differ by case', async (name) => {
    const tree = listTree(join(sandbox.root, 'instances'));
    const { code, json } = await sandbox.manage(['create', name, '--json']);
    expect(json().error).toMatchObject({ code: 'INSTANCE_EXISTS', exitCode: 1 });
    expect(json().error?.message).toContain('"client-a"');
    expect(code).toBe(1);
    expect(listTree(join(sandbox.root, 'instances'))).toEqual(tree);
  });

  it.each(['CLIENT-A', 'client-?', 'Client-*', 'client-[ab]', 'client-a,CLIENT-a', 'all'])(
    '%s selects it, once',
    async (selector) => {
      const { code, json } = await sandbox.manage(['status', selector, '--json']);
      const document = json();
      const found = (document.results ?? [document]).map(({ instance }) => instance);
      expect({ code, found }).toEqual({ code: 0, found: ['client-a'] });
    },
  );

  it.each(['client', 'client-', 'client-ab', 'lient-a', 'x*', 'client-a,client-b'])(
    '%s is nobody: a name is never a prefix',
    async (selector) => {
      const { code, json } = await sandbox.manage(['status', selector, '--json']);
      expect(json().error).toMatchObject({ code: 'INSTANCE_NOT_FOUND', exitCode: 4 });
      expect(json().error?.hint).toContain('client-a');
      expect(code).toBe(4);
    },
  );
});
