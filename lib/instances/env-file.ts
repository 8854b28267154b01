import { type Login, loginEnvironment, quoteForEnvironment } from './login.ts';

/**
 * The text of a .env file with the login in it: lines of ours are replaced where they stand, the rest of the file, its
 * comments and its order stay, and what is missing comes at the end.
 */
export function updateEnvironmentText(text: string, login: Login): string {
  const left = new Map(Object.entries(loginEnvironment(login)));
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const updated = lines.map((line) => {
    const [, prefix, name] = /^(\s*(?:export\s+)?)([A-Za-z_]\w*)\s*=/.exec(line) ?? [];
    const value = name === undefined ? undefined : left.get(name);
    if (name === undefined || value === undefined) return line;
    left.delete(name);
    return `${prefix}${name}=${quoteForEnvironment(value)}`;
  });
  const added = [...left].map(([name, value]) => `${name}=${quoteForEnvironment(value)}`);
  return `${[...updated, ...added].join('\n')}\n`;
}
