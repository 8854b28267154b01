import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ActionName, actions } from '../../lib/actions/index.ts';
import { projectDirectory } from '../../lib/host/project.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
});
afterAll(async () => await sandbox.cleanup());

const names = Object.keys(actions) as ActionName[];

function tooLong(text: string): string[] {
  return text.split('\n').filter((line) => line.length > 80);
}

describe('the overview', () => {
  it.each([['--help'], ['-h'], []])('is shown by "%s"', async (...words: string[]) => {
    const { code, stdout, stderr } = await sandbox.manage(words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Usage: ./manage.ts --action ACTION --instance SELECTOR');
    expect(stdout).toMatch(/Exit status:\n(.*\n)*.*75 locked/);
    expect(tooLong(stdout)).toEqual([]);
  });

  it('has every action with its summary', async () => {
    const { stdout } = await sandbox.manage(['--help']);
    for (const name of names) expect(stdout).toContain(`  ${name.padEnd(20)}${actions[name].summary}\n`);
  });
});

describe('the help of an action', () => {
  it.each(names)('%s: usage, options, examples', async (name) => {
    const { code, stdout, stderr } = await sandbox.manage(['--action', name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: ./manage.ts --action ${name}\\b`));
    expect(stdout).toMatch(/\nExamples:\n {2}\S.*manage\.ts .*\n {6}\S/);
    expect(tooLong(stdout)).toEqual([]);
    const action = await actions[name].load();
    expect(action.name).toBe(name);
    expect(action.summary).toBe(actions[name].summary);
    for (const [option, { hidden, describe: words }] of Object.entries(action.options)) {
      if (!hidden) expect(stdout).toContain(`--${option} `);
      expect(words).not.toBe('');
    }
  });

  it('is the same for the short form, wherever --help stands', async () => {
    const forms = [
      ['create', '--help'],
      ['--help', 'create'],
      ['create', 'client-a', '-h'],
    ];
    const [first, ...rest] = await Promise.all(forms.map(async (form) => (await sandbox.manage(form)).stdout));
    expect(first).toContain('--action create');
    for (const other of rest) expect(other).toBe(first);
  });

  it('each example names an action and options that exist', async () => {
    for (const name of names) {
      const action = await actions[name].load();
      for (const [command] of action.examples) {
        const words = /manage\.ts (.*)/.exec(command)?.[1]?.split(/[\s|")]+/) ?? [];
        expect(words[0] === '--action' ? words[1] : words[0]).toBe(name);
      }
    }
  });
});

it('--version prints the package version and nothing else', async () => {
  const { version } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')) as { version: string };
  expect(await sandbox.manage(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
});

describe('a slip of the finger', () => {
  it.each([
    [['--action', 'crate', '--instance', 'a'], 'there is no action "crate"; did you mean create?'],
    [['lsit'], 'there is no action "lsit"; did you mean list?'],
    [['crate', '--help'], 'did you mean create?'],
    [['frobnicate'], 'there is no action "frobnicate"'],
    [[''], 'there is no action ""'],
    [['toString'], 'there is no action "toString"'],
    [['create', 'a', '--tempalte', 'minimal'], 'create has no option --tempalte; did you mean --template?'],
    [['status', 'a', '--jsn'], 'status has no option --jsn; did you mean --json?'],
    [['list', '--frobnicate'], 'list has no option --frobnicate'],
    [['list', '-z'], 'list has no option -z'],
    [['status', 'a', 'b'], 'what is "b" for?'],
    [['--action', 'status', '--instance', 'a', 'b'], 'what is "b" for?'],
    [['status', 'a', '--timeout', 'soon'], '--timeout takes a number, not "soon"'],
    [['status', 'a', '--timeout', ''], '--timeout takes a number'],
    [['status', 'a', '--timeout', '-1'], '--timeout'],
    [['status', 'a', '--timeout', 'Infinity'], '--timeout takes a number, not "Infinity"'],
    [['status', 'a', '--lock-timeout', '5m'], '--lock-timeout takes a number, not "5m"'],
    [['start', 'a', '--jobs', 'many'], '--jobs takes a number'],
    [['create', 'a', '--pg-version', 'newest'], '--pg-version takes a number'],
    [['create', 'a', '--max-connections', 'NaN'], '--max-connections takes a number'],
    [['logs', 'a', '--lines', '1O'], '--lines takes a number, not "1O"'],
    [['create', 'a', '--port', '80'], '"80" is no port'],
    [['create', 'a', '--port', '5433x'], '"5433x" is no port'],
    [['create', 'a', '--port-range', '5499-5433'], 'is no range of ports'],
    [['create', 'a', '--template', 'prodution'], 'production'],
    [['create', 'a', '--memory', 'lots'], 'lots'],
    [['create', 'a', '--set', 'work_mem'], '"work_mem" is no setting'],
    [['connect', 'a', '--format', 'xml'], 'xml'],
    [['connect', 'a', '--format', 'josn'], 'did you mean json?'],
    [['backup', 'a', '--backup-name', '../b'], '../b'],
    [['restore', 'a', '--yes', '--to-time', 'yesterday'], 'yesterday'],
    [['create', '--instance'], '--instance needs a value'],
    [['destroy', '--yes'], 'destroy needs --instance NAME'],
  ])('%j is a usage error', async (args, words) => {
    const { code, stdout, stderr } = await sandbox.manage(args);
    expect(stderr).toContain(words);
    expect(stderr).toMatch(/^error .*\[[A-Z_]+\]\n/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(listTree(sandbox.folder)).toEqual([]);
  });
});
