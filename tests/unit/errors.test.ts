import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, type ErrorCode, errorRegistry, exitStatus, isAbort, toAppError } from '../../lib/errors.ts';

function systemError(code: string, path?: string): Error {
  return Object.assign(new Error(`${code}: no luck`), { code, ...(path === undefined ? {} : { path }) });
}

describe('toAppError', () => {
  it('leaves ours as it is', () => {
    const error = new AppError('LOCKED', 'busy');
    expect(toAppError(error)).toBe(error);
    expect(error.exitCode).toBe(75);
  });

  it.each([
    ['ENOSPC', 'DISK_SPACE', /no space left on the disk for \/data\/x/],
    ['EDQUOT', 'DISK_SPACE', /no space left on the disk for \/data\/x/],
    ['EACCES', 'FILE_ACCESS', /^\/data\/x: permission denied$/],
    ['EPERM', 'FILE_ACCESS', /^\/data\/x: permission denied$/],
    ['EROFS', 'FILE_ACCESS', /^\/data\/x: the file system is read-only$/],
  ])('tells %s as %s with its path, a hint and the cause', (code, expected, message) => {
    const cause = systemError(code, '/data/x');
    const error = toAppError(cause);
    expect(error.code).toBe(expected);
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
    expect(error.cause).toBe(cause);
  });

  it('tells a full disk without its path too: a write knows none', () => {
    expect(toAppError(systemError('ENOSPC'))).toMatchObject({ code: 'DISK_SPACE', exitCode: exitStatus.refused });
  });

  it('tells what the system really throws', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgm-errors-'));
    try {
      writeFileSync(folder, 'a folder is no file');
    } catch (error) {
      expect(toAppError(error)).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('EISDIR') });
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect.assertions(1);
  });

  it("gives the server's own words and its SQLSTATE", () => {
    const database = Object.assign(new Error('relation "t" does not exist'), { severity: 'ERROR', code: '42P01' });
    const error = toAppError(database);
    expect(error.code).toBe('SQL_FAILED');
    expect(error.message).toBe('the server says: relation "t" does not exist (SQLSTATE 42P01)');
  });

  it('knows a server that cannot be reached', () => {
    for (const cause of [systemError('ECONNREFUSED'), systemError('ECONNRESET')]) {
      expect(toAppError(cause)).toMatchObject({ code: 'SQL_FAILED', hint: expect.stringContaining('status') });
    }
    expect(toAppError(new Error('Connection terminated unexpectedly')).code).toBe('SQL_FAILED');
  });

  it.each([
    [new TypeError('x is not a function'), 'x is not a function'],
    ['a text', 'a text'],
    [42, '42'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{}, '[object Object]'],
  ])('calls %p a defect of ours', (thrown, message) => {
    const error = toAppError(thrown);
    expect(error.code).toBe('INTERNAL');
    expect(error.message).toBe(message);
    expect(error.cause).toBe(thrown);
  });
});

describe('the registry', () => {
  it('gives each code a status of the contract, and none the status of success', () => {
    const known = new Set<number>(Object.values(exitStatus));
    for (const code of Object.keys(errorRegistry) as ErrorCode[]) {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(known.has(errorRegistry[code])).toBe(true);
      expect(errorRegistry[code]).not.toBe(exitStatus.done);
    }
  });

  it('keeps the statuses that scripts rely on', () => {
    const statuses = (
      ['USAGE', 'INSTANCE_NOT_FOUND', 'STILL_STARTING', 'BACKUP_NOT_PROVEN', 'NO_FREE_PORT'] as const
    ).map((code) => new AppError(code, '').exitCode);
    expect(statuses).toEqual([2, 4, 6, 7, 8]);
    expect([errorRegistry.LOCKED, errorRegistry.INTERRUPTED, errorRegistry.SOME_FAILED]).toEqual([75, 130, 5]);
  });
});

describe('isAbort', () => {
  it('knows an aborted signal and nothing else', () => {
    expect(isAbort(Object.assign(new Error('aborted'), { name: 'AbortError' }))).toBe(true);
    expect(isAbort(systemError('ABORT_ERR'))).toBe(true);
    expect(isAbort(systemError('ENOSPC'))).toBe(false);
    expect(isAbort('AbortError')).toBe(false);
  });
});
