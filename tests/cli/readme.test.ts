import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { actions } from '../../lib/actions/index.ts';
import { errorRegistry, exitStatus } from '../../lib/errors.ts';
import { projectDirectory } from '../../lib/host/project.ts';

const readme = readFileSync(join(projectDirectory, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

describe('the README', () => {
  it('lists every action with the words of its help', () => {
    const listed = [...readme.matchAll(/^\| `([a-z-]+)` \| (.+) \|$/gm)].map(([, name, summary]) => [name, summary]);
    expect(listed).toEqual(Object.entries(actions).map(([name, { summary }]) => [name, summary]));
  });

  it('lists every error code with its exit status', () => {
    const [, block = ''] = /<!-- errors:.*?-->([\s\S]*?)<!-- \/errors -->/.exec(readme) ?? [];
    const listed = [...block.matchAll(/^\| (\d+) \| (.+) \|$/gm)].flatMap(([, exit, codes = '']) =>
      codes.split(', ').map((code) => [code.replaceAll('`', ''), Number(exit)]),
    );
    expect(Object.fromEntries(listed)).toEqual(errorRegistry);
  });

  it('explains every exit status and every dependency', () => {
    for (const status of Object.values(exitStatus)) expect(readme).toMatch(new RegExp(`^\\| ${status} \\| `, 'm'));
    for (const name of Object.keys(manifest.dependencies))
      expect(readme).toMatch(new RegExp(`^\\| [^|]*\\b${name}\\b[^|]* \\| `, 'm'));
  });
});
