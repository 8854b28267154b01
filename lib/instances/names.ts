import { AppError } from '../errors.ts';

declare const nameBrand: unique symbol;
/** The name of an instance, as the contract allows it. Made by `parseName`. */
export type InstanceName = string & { [nameBrand]: true };

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

/** @throws BAD_NAME */
export function parseName(text: string): InstanceName {
  if (!namePattern.test(text) || text.toLowerCase() === 'all') {
    throw new AppError('BAD_NAME', `"${text}" cannot be the name of an instance`, {
      hint: 'a name begins with a letter, holds letters, digits, - and _, has at most 63 characters, and is not "all"',
    });
  }
  return text as InstanceName;
}

/** Two names that differ only in case are one name. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The role and the database that carry the instance's name. */
export function defaultDatabase(name: InstanceName): string {
  return name.replaceAll('-', '_').toLowerCase();
}

/**
 * The instances that a selector means: an exact name, a comma list, a glob, or `all`. A bare name is never a prefix.
 * @throws BAD_SELECTOR; INSTANCE_NOT_FOUND when a part of it matches nothing (but `all` may be nobody)
 */
export function select(selector: string, names: readonly InstanceName[]): InstanceName[] {
  if (selector === 'all') return [...names];
  // All parts are judged before the first is looked up: a slip of the finger is a usage error wherever it stands.
  const parts = selector.split(',').map((text) => ({ part: text.trim(), matching: matches(text.trim(), names) }));
  const missing = parts.find(({ matching }) => matching.length === 0);
  if (missing !== undefined) throw notFound(missing.part, names);
  return [...new Set(parts.flatMap(({ matching }) => matching))];
}

/** True for a selector that may mean several instances, so that the answer is a list. */
export function meansSeveral(selector: string): boolean {
  return selector === 'all' || /[,*?[]/.test(selector);
}

function matches(part: string, names: readonly InstanceName[]): InstanceName[] {
  if (!/[*?[\]]/.test(part)) {
    const name = parseName(part);
    return names.filter((other) => sameName(other, name));
  }
  if (!/^(?:[A-Za-z0-9_\-*?[\]]|(?<=\[)!)+$/.test(part)) {
    throw new AppError('BAD_SELECTOR', `"${part}" selects nothing that could be a name`, {
      hint: "write an exact name, a comma list, a quoted glob like 'client-*', or all",
    });
  }
  const pattern = part.replaceAll('*', '.*').replaceAll('?', '.').replaceAll('[!', '[^');
  const glob = compile(part, pattern);
  return names.filter((name) => glob.test(name));
}

function compile(part: string, pattern: string): RegExp {
  try {
    return new RegExp(`^${pattern}$`, 'i');
  } catch (error) {
    throw new AppError('BAD_SELECTOR', `"${part}" is no glob`, {
      hint: 'a [ needs its ], and a range goes upwards: [a-c]',
      cause: error,
    });
  }
}

export function notFound(name: string, names: readonly string[]): AppError {
  const known =
    names.length === 0
      ? 'there are none yet; make one with: ./manage.ts create NAME'
      : `there are: ${names.slice(0, 12).join(', ')}`;
  return new AppError('INSTANCE_NOT_FOUND', `no instance "${name}"`, { hint: known });
}
