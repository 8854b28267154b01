/** What a statement is made of, so far that its end is found: comments, psql's commands, quoted text, and all else. */
const piece = /--[^\n]*\n?|^\\[^\n]*\n?|'(?:[^']|'')*'|"(?:[^"]|"")*"|;|[^;'"\\-]+|[\\-]/gm;

/**
 * The statements of what pg_dumpall and pg_restore write, without comments, psql's own commands and semicolons. Strings are
 * written there with quotes doubled, and nothing is quoted with dollars. Pure.
 */
export function statementsIn(script: string): string[] {
  const statements: string[] = [];
  let text = '';
  for (const [token] of script.matchAll(piece)) {
    if (token.startsWith('--') || (token.startsWith('\\') && token.length > 1)) continue;
    if (token === ';') {
      statements.push(text.trim());
      text = '';
    } else text += token;
  }
  return statements.filter((statement) => statement !== '');
}

export const namePattern = '(?:"(?:[^"]|"")*"|[^\\s";]+)';

/** The name that a quoted or plain identifier stands for. */
export function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
