import { describe, expect, it } from '@jest/globals';
import { MarksUnclear, readSections } from '../../../lib/migrations/sections.ts';

describe('readSections', () => {
  it('takes a file without marks for all forward', () => {
    const text = '-- a word\nCREATE TABLE t ();\n';
    expect(readSections(text)).toEqual({ up: { sql: text, transaction: true }, down: undefined, tool: undefined });
  });

  it.each([
    ['dbmate', '-- migrate:up\nA;\n\n-- migrate:down\nB;\n'],
    ['node-pg-migrate', '-- Up Migration\nA;\n\n-- Down Migration\nB;\n'],
    ['goose', '-- +goose Up\nA;\n\n-- +goose Down\nB;\n'],
  ])('divides a file of %s, and keeps the numbers of its lines', (tool, text) => {
    const { up, down, tool: found } = readSections(text);
    expect(found).toBe(tool);
    expect(up.sql.split('\n')[1]).toBe('A;');
    expect(up.sql).not.toContain('B;');
    expect(down?.sql.split('\n')[4]).toBe('B;');
    expect(down?.sql).not.toContain('A;');
  });

  it('reads the sections in either order', () => {
    const { up, down } = readSections('-- Down Migration\nB;\n-- Up Migration\nA;\n');
    expect(up.sql).toBe('\n\n-- Up Migration\nA;\n');
    expect(down?.sql).toBe('-- Down Migration\nB;\n');
  });

  it('takes what stands before a lone down section for the forward part', () => {
    const { up, down } = readSections('A;\n-- Down Migration\nB;\n');
    expect([up.sql, down?.sql]).toEqual(['A;\n', '\n-- Down Migration\nB;\n']);
  });

  it.each([
    '-- migrate:up transaction:false\nA;\n-- migrate:down\nB;',
    '-- +goose NO TRANSACTION\n-- +goose Up\nA;\n-- +goose Down\nB;',
    '--! no-transaction\nA;',
  ])('believes a file that says that it wants no transaction: %j', (text) => {
    expect(readSections(text).up.transaction).toBe(false);
  });

  it('keeps the directions apart', () => {
    const { up, down } = readSections('-- migrate:up\nA;\n-- migrate:down transaction:false\nB;');
    expect([up.transaction, down?.transaction]).toEqual([true, false]);
  });

  it.each([
    ['A;\n-- migrate:up\nB;', 'SQL stands before'],
    ['-- migrate:up\nA;\n-- migrate:up\nB;', '2 sections "up"'],
    ['-- migrate:up\nA;\n-- Down Migration\nB;', 'both dbmate and node-pg-migrate'],
  ])('refuses %j', (text, message) => {
    expect(() => readSections(text)).toThrow(MarksUnclear);
    expect(() => readSections(text)).toThrow(message);
  });
});
