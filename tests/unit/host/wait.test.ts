import { describe, expect, it } from '@jest/globals';
import { monotonicMs } from '../../../lib/host/clock.ts';
import { pause, poll } from '../../../lib/host/wait.ts';

const never = new AbortController().signal;

describe('pause', () => {
  it('waits', async () => {
    const begun = monotonicMs();
    await pause(30);
    expect(monotonicMs() - begun).toBeGreaterThanOrEqual(28);
  });

  it("ends at once with the signal's own reason", async () => {
    const reason = new Error('Ctrl-C');
    const controller = new AbortController();
    void pause(20).then(() => controller.abort(reason));
    const begun = monotonicMs();
    await expect(pause(60_000, controller.signal)).rejects.toBe(reason);
    expect(monotonicMs() - begun).toBeLessThan(5000);
    await expect(pause(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('poll', () => {
  it('asks until there is an answer, of whatever worth', async () => {
    let asked = 0;
    const probe = (): boolean | undefined => (++asked < 4 ? undefined : false);
    expect(await poll(probe, { signal: never, timeoutMs: 10_000, minMs: 1 })).toBe(false);
    expect(asked).toBe(4);
  });

  it('asks at least once, also without time', async () => {
    expect(await poll(() => 'at once', { signal: never, timeoutMs: 0 })).toBe('at once');
    expect(await poll(() => undefined, { signal: never, timeoutMs: 0 })).toBeUndefined();
  });

  it('gives up when time is up, after a last question', async () => {
    const begun = monotonicMs();
    let lastAskedMs = 0;
    const probe = (): undefined => void (lastAskedMs = monotonicMs() - begun);
    expect(await poll(probe, { signal: never, timeoutMs: 80, minMs: 50, maxMs: 60_000 })).toBeUndefined();
    expect(lastAskedMs).toBeGreaterThanOrEqual(78);
    expect(monotonicMs() - begun).toBeLessThan(5000);
  });

  it('asks less and less often, but never less than maxMs says', async () => {
    const times: number[] = [];
    await poll(() => void times.push(monotonicMs()), { signal: never, timeoutMs: 400, minMs: 5, maxMs: 40 });
    // 5 ms steps would ask 80 times; 40 ms steps from the beginning at most 13. A busy machine asks less often.
    expect(times.length).toBeGreaterThan(3);
    expect(times.length).toBeLessThan(40);
  });

  it("ends with the signal's reason, and with what the probe throws", async () => {
    const reason = new Error('lock lost');
    const controller = new AbortController();
    const waiting = poll(() => undefined, { signal: controller.signal, timeoutMs: Infinity });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const fault = (): undefined => {
      throw new Error('process gone');
    };
    await expect(poll(fault, { signal: never, timeoutMs: 1000 })).rejects.toThrow('process gone');
  });
});
