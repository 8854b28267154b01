import { describe, expect, it } from '@jest/globals';
import { judgeReceiver } from '../../../lib/diagnosis/receiver.ts';
import type { ObservedReceiver } from '../../../lib/receiver/observe.ts';

const MB = 1024 * 1024;
const well: ObservedReceiver = {
  state: 'streaming',
  pid: 4711,
  lagBytes: 100,
  keptBytes: 100,
  capBytes: 1024 * MB,
  slotLost: false,
  lastReceivedAt: null,
};

describe('judgeReceiver', () => {
  it.each<[string, Partial<ObservedReceiver> | null, string[]]>([
    ['one that streams', {}, []],
    ['an instance without one', null, []],
    ['one that is stopped with its instance', { state: 'stopped', pid: null }, []],
    ['one that is gone', { state: 'crashed', pid: null, lagBytes: null }, ['RECEIVER_DOWN critical']],
    ['one that cannot write', { state: 'waiting', lagBytes: null }, ['RECEIVER_DOWN critical']],
    ['one that nobody would start again', { pid: null }, ['RECEIVER_ALONE warning']],
    ['one that is slow', { lagBytes: 17 * MB }, ['RECEIVER_LAG warning']],
    ['one without a limit to what is kept for it', { capBytes: null }, ['SLOT_UNLIMITED warning']],
  ])('%s', (_, how, wanted) => {
    const findings = judgeReceiver('shop', how && { ...well, ...how });
    expect(findings.map(({ code, severity }) => `${code} ${severity}`)).toEqual(wanted);
  });

  it('says what is kept for a dead one, and of a lost slot that nothing is', () => {
    const [dead] = judgeReceiver('shop', { ...well, state: 'crashed', pid: null, keptBytes: 300 * MB });
    expect(dead).toMatchObject({
      cause: expect.stringMatching(/it does not run\).*the server keeps 300 MB of WAL for it/),
      remedy: './manage.ts --action start --instance shop',
    });
    const gone = { ...well, state: 'crashed', pid: null, slotLost: true, keptBytes: null } as const;
    const [lost] = judgeReceiver('shop', { ...gone, lastReceivedAt: '2026-11-22T09:50:11.123Z' });
    expect(lost?.cause).toContain('the server has dropped its slot');
    expect(lost?.cause).toContain('streams no WAL since 2026-11-22T09:50:11Z (');
  });
});
