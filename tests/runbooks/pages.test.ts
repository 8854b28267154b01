import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { projectDirectory } from '../../lib/host/project.ts';
import { readPage, readRunbook, runbookFolder, runbookNames } from '../helpers/runbook.ts';

const tests = join(projectDirectory, 'tests', 'runbooks');

describe('every runbook', () => {
  it.each(runbookNames)('%s has its five parts, is in the index, and is run to its last part', (name) => {
    const { parts } = readRunbook(name);
    const sections = ['Symptom', 'Confirm', 'Act', 'Verify', 'Prevent'];
    expect(parts.filter((part) => sections.includes(part))).toEqual(sections);
    expect(readFileSync(join(runbookFolder, 'README.md'), 'utf8')).toContain(`(${name}.md)`);
    const sources = readdirSync(tests).map((file) => readFileSync(join(tests, file), 'utf8'));
    expect(sources.some((text) => text.includes(`runRunbook(sandbox, '${name}'`))).toBe(true);
    expect(sources.some((text) => new RegExp(`it\\.each\\(\\[[^\\]]*'${name}'`).test(text))).toBe(true);
  });

  it.each(runbookNames)('%s leads nowhere else than to a page', (name) => {
    const text = readFileSync(join(runbookFolder, `${name}.md`), 'utf8');
    const links = [...text.matchAll(/\]\(([\w-]+)\.md\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !runbookNames.includes(link))).toEqual([]);
  });
});

describe('a page', () => {
  const page = [
    '# Title',
    '## Confirm',
    '```sh',
    "NAME='value'   # yours",
    '# prose',
    'false   # exit 1: it is gone',
    'stat x   # exit 0, 1 or 8',
    'echo a \\',
    '  b',
    '```',
    '```text',
    'a … b',
    '```',
    '### If so',
    '```console',
    'rm -r /   # for reading only',
    '```',
  ];

  it('is its commands, with the status each is to end with, and what they print', () => {
    expect(readPage(page.join('\n'))).toEqual({
      parts: ['Confirm', 'If so'],
      blocks: [
        {
          part: 'Confirm',
          commands: [
            { text: "NAME='value'   # yours", line: 4, exits: [0] },
            { text: 'false   # exit 1: it is gone', line: 6, exits: [1] },
            { text: 'stat x   # exit 0, 1 or 8', line: 7, exits: [0, 1, 8] },
            { text: 'echo a \\\n  b', line: 8, exits: [0] },
          ],
          printed: [{ text: 'a … b', line: 12 }],
        },
      ],
    });
  });
});
