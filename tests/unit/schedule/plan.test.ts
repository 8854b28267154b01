import { describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../../lib/host/programs.ts';
import { projectDirectory } from '../../../lib/host/project.ts';
import { placesOf } from '../../../lib/instances/places.ts';
import { planAutostart } from '../../../lib/schedule/autostart.ts';
import { parseTimes } from '../../../lib/schedule/cron.ts';
import { type BlockOwner, crontabBlock, findBlock, jobLines, withBlock } from '../../../lib/schedule/crontab.ts';
import { fill, planJobs, type ScheduleWish, shellWord } from '../../../lib/schedule/plan.ts';
import { planUnits } from '../../../lib/schedule/units.ts';

const template = (name: string): string => readFileSync(join(projectDirectory, 'templates', name), 'utf8');
const root = "/srv/it's 100%";
const around = {
  command: ['/usr/bin/node', '/opt/launch.cjs', '/opt/manage.ts'],
  options: ['--root', root],
  environment: { PG_MANAGE_HOST: '/var/tmp/pg-manage' },
  folder: `${root}/.pg-manage/schedule`,
};
const wish: ScheduleWish = {
  selector: 'client-*',
  backup: parseTimes('0 2 * * *'),
  prove: parseTimes('weekly'),
  keep: 7,
  retentionDays: undefined,
  jitterSeconds: 300,
  ping: 'https://ping.example/a&b',
};
const plan = (more: Partial<ScheduleWish> = {}) => planJobs({ ...wish, ...more }, around, template('schedule-job.sh'));

describe('the script of a job', () => {
  it('calls everything by absolute paths, removes only after a good backup, and keeps the address out of the arguments', () => {
    const [backup, prove] = plan();
    expect(backup?.text).toContain(
      [
        'export PG_MANAGE_HOST=/var/tmp/pg-manage',
        `PG_MANAGE_PING='https://ping.example/a&b' /usr/bin/node /opt/launch.cjs /opt/manage.ts --action backup --instance 'client-*' --quiet --lock-timeout 7200 --root '/srv/it'\\''s 100%' &&`,
        `  /usr/bin/node /opt/launch.cjs /opt/manage.ts --action cleanup-backups --instance 'client-*' --quiet --lock-timeout 7200 --keep 7 --yes --root '/srv/it'\\''s 100%'`,
      ].join('\n'),
    );
    expect(backup?.text).toMatch(/^missed_after=1500 /m);
    expect(prove?.text).toMatch(/^missed_after=10140 /m);
    expect(prove?.text).not.toContain('PING');
    for (const job of plan()) expect(job.text).not.toMatch(/@[A-Z_]+@/);
  });

  it('removes nothing where no rule was given, and there is a job only for what was asked', () => {
    const alone = plan({ keep: undefined })[0]?.text;
    expect(alone).not.toContain('cleanup-backups');
    expect(alone).toMatch(/ --action backup .* --root '.*'$/m); // and no && behind it
    const days = plan({ keep: undefined, retentionDays: 30, ping: undefined })[0]?.text;
    expect(days).toContain('--lock-timeout 7200 --retention-days 30 --yes --root');
    expect(days).not.toContain('PING');
    expect(plan({ retentionDays: 30 })[0]?.text).toContain('--keep 7 --retention-days 30 --yes');
    expect(plan({ backup: undefined }).map(({ name }) => name)).toEqual(['prove']);
    expect(plan({ prove: undefined }).map(({ name }) => name)).toEqual(['backup']);
  });
});

it('a word reaches the shell as it is', async () => {
  expect(shellWord('/srv/pg-1:a,b=c@d+e_F.9')).toBe('/srv/pg-1:a,b=c@d+e_F.9');
  const words = ['', 'a b', 'a;', ';a', "it's", '$HOME', '*', 'a\nb', '~'];
  const { stdout } = await execa('/bin/sh', ['-c', `printf '%s|' ${words.map(shellWord).join(' ')}`]);
  expect(stdout).toBe(words.map((word) => `${word}|`).join(''));
});

it('a template keeps what looks like a place and is none', () => {
  expect(fill('@ONE@ @TWO@ @one@ a@b', { ONE: '@TWO@' })).toBe('@TWO@ @TWO@ @one@ a@b');
});

describe('the block in a crontab', () => {
  const owner: BlockOwner = { root, action: 'schedule' };
  const block = crontabBlock(owner, jobLines(plan()));
  const others = 'MAILTO=ops\n5 5 * * * /bin/true\n';

  it('has a line for the time and one for what was missed, with every % kept from cron', () => {
    const file = String.raw`'/srv/it'\''s 100\%/.pg-manage/schedule/backup'`;
    expect(block).toContain(`0 2 * * * ${file}`);
    expect(block).toContain(`17 * * * * ${file} --if-missed`);
  });

  it('is added, replaced where it stands, found, and taken away, and nothing else is touched', () => {
    const added = withBlock(others, owner, block);
    expect(added).toBe(`${others}${block.join('\n')}\n`);
    expect(findBlock(added, owner)).toEqual(block);
    const changed = crontabBlock(owner, jobLines(plan({ prove: undefined })));
    expect(withBlock(`${added}7 7 * * * /bin/false\n`, owner, changed)).toBe(
      `${others}${changed.join('\n')}\n7 7 * * * /bin/false\n`,
    );
    expect(withBlock(added, owner, [])).toBe(others);
    expect(withBlock(withBlock('', owner, block), owner, [])).toBe('');
    expect(withBlock(added, { ...owner, action: 'autostart' }, [])).toBe(added);
    expect(withBlock(added, { ...owner, root: '/srv/other' }, [])).toBe(added);
  });
});

it('the units call the script as the owner, and make up for what was missed', () => {
  const units = unitsOfSchedule();
  expect(units.map(({ name }) => name)).toEqual([
    'pg-manage-1a2b3c4d-backup.service',
    'pg-manage-1a2b3c4d-backup.timer',
    'pg-manage-1a2b3c4d-prove.service',
    'pg-manage-1a2b3c4d-prove.timer',
  ]);
  expect(units[0]?.text).toContain(`ExecStart=/bin/sh "/srv/it's 100%%/.pg-manage/schedule/backup"`);
  expect(units[0]?.text).toContain('User=postgres');
  expect(units[1]?.text).toMatch(/OnCalendar=\*-\*-\* 02:00:00\n[^]*Persistent=true/);
  for (const { text } of units) expect(text).not.toMatch(/@[A-Z_]+@/);
});

function unitsOfSchedule() {
  const templates = { service: template('schedule.service'), timer: template('schedule.timer') };
  return planUnits(plan(), { id: '1a2b3c4d', root, user: 'postgres' }, templates);
}

describe('what brings instances back with the machine', () => {
  const places = placesOf(root, '/mnt/back ups', '/var/tmp/pg-manage');
  const templates = { script: template('autostart.sh'), service: template('autostart.service') };
  const planned = (by: 'cron' | 'systemd') => planAutostart(by, places, around, templates);

  it('starts what is meant to run, and stops it without changing that', () => {
    const { script, crontab } = planned('cron');
    const call = (rest: string) => `exec /usr/bin/node /opt/launch.cjs /opt/manage.ts --action ${rest}`;
    expect(script.text).toContain(`start) ${call('start --instance all --as-before --jobs 4 --quiet')}`);
    expect(script.text).toContain(`stop) ${call('stop --instance all --for-now --jobs 4 --quiet')}`);
    expect(script.text).not.toMatch(/@[A-Z_]+@/);
    expect(crontab[1]).toBe(String.raw`@reboot '/srv/it'\''s 100\%/.pg-manage/schedule/with-machine' start`);
  });

  it('is a unit that waits for the disks, and does not end all of them because of one', () => {
    const [unit] = planned('systemd').units;
    expect(unit?.name).toMatch(/^pg-manage-[0-9a-f]{8}-autostart\.service$/);
    expect(unit?.text).toContain(`RequiresMountsFor="/srv/it's 100%%" "/mnt/back ups"\n`);
    expect(unit?.text).toMatch(/^ExecStart=-.* start\nExecStop=-.* stop$/m);
    expect(unit?.text).not.toMatch(/@[A-Z_]+@/);
  });

  /** systemd's own judgement, of paths with everything in them that it gives a meaning. */
  it('systemd finds nothing wrong with our units', async () => {
    const analyze = findProgram('systemd-analyze');
    if (analyze === undefined) return; // a machine without systemd
    const folder = mkdtempSync(join(tmpdir(), 'pgm-units-'));
    try {
      const units = [...unitsOfSchedule(), ...planned('systemd').units];
      for (const { name, text } of units) writeFileSync(join(folder, name), text);
      const { stdout, stderr } = await execa(analyze, ['verify', ...units.map(({ name }) => join(folder, name))]);
      expect(stdout + stderr).toBe('');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
