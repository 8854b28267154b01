import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { plainProgress } from '../../../lib/cli/progress.ts';
import type { ProgressView } from '../../../lib/cli/reporter.ts';

const plain = (text: string): string => text;
const paint = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain };

let said: string[];
let view: ProgressView;

beforeEach(() => {
  jest.useFakeTimers();
  said = [];
  view = plainProgress({ out: (text) => said.push(text), err: (text) => said.push(text) }, paint);
});

afterEach(() => {
  view.clear();
  jest.useRealTimers();
});

describe('progress where there is no terminal', () => {
  it('says one line about a short step', () => {
    view.show({ type: 'begin', title: 'initdb' }, 'shop');
    jest.advanceTimersByTime(400);
    view.show({ type: 'end', title: 'initdb', seconds: 0.4 }, 'shop');
    jest.advanceTimersByTime(60_000);
    expect(said).toEqual(['shop: initdb 0.4 s']);
  });

  it('says where a long step is: first after a second, then every ten', () => {
    view.show({ type: 'begin', title: 'start' }, 'shop');
    view.show({ type: 'progress', title: 'start', detail: 'redo at 0/3000000' }, 'shop');
    jest.advanceTimersByTime(1000);
    expect(said).toEqual(['shop: start: redo at 0/3000000 (1 s)']);
    view.show({ type: 'progress', title: 'start', detail: 'redo at 0/9000000' }, 'shop');
    jest.advanceTimersByTime(9500);
    expect(said).toHaveLength(1);
    jest.advanceTimersByTime(500);
    expect(said[1]).toBe('shop: start: redo at 0/9000000 (11 s)');
  });

  it('is not silent about a step that says nothing itself', () => {
    view.show({ type: 'begin', title: 'initdb' }, 'shop');
    jest.advanceTimersByTime(25_000);
    expect(said).toEqual([
      'shop: initdb: going on (1 s)',
      'shop: initdb: going on (11 s)',
      'shop: initdb: going on (21 s)',
    ]);
  });

  it('keeps the steps of several instances apart', () => {
    view.show({ type: 'begin', title: 'stop' }, 'a');
    view.show({ type: 'begin', title: 'stop' }, 'b');
    view.show({ type: 'end', title: 'stop', seconds: 0.1 }, 'a');
    jest.advanceTimersByTime(1000);
    expect(said).toEqual(['a: stop 0.1 s', 'b: stop: going on (1 s)']);
  });
});
