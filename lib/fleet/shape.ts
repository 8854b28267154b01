import * as z from 'zod';
import { type Privileges, readPrivileges } from '../databases/privileges.ts';
import { parseName } from '../instances/names.ts';
import { poolModes } from '../pooler/program.ts';
import { parsePort, parseRange } from '../ports/leases.ts';
import { parseTimes } from '../schedule/cron.ts';
import { schedulers } from '../schedule/system.ts';
import { parseSize } from '../tuning/sizes.ts';
import { any } from './declared.ts';

/** A value that one of our own parsers reads; its refusal is told as a fault of the file. */
function read<T>(parse: (text: string) => T) {
  return z.string('must be one value').transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });
}

/** What is nothing at all in YAML is an empty mapping here: `client-a:`. */
function orEmpty<T extends z.ZodType>(shape: T) {
  return z.preprocess((value) => (value === '' ? {} : value), shape);
}

/** A mapping, or the word `any`. */
function orAny<T extends z.ZodType>(shape: T) {
  return z.unknown().transform((value, context) => {
    if (value === any) return any;
    const parsed = shape.safeParse(value === '' ? {} : value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.issues.push({ ...issue } as never);
    return z.NEVER;
  });
}

const truth = z.enum(['true', 'false'], 'must be true or false').transform((word) => word === 'true');
const wholeNumber = (least: number) =>
  read((text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
    throw new RangeError(`"${text}" is no whole number from ${least} on`);
  });
const size = read((text) => Number(parseSize(text)));
const port = read((text) => (text === 'auto' ? undefined : parsePort(text)));
/** What is there may have names that create-db would not give: it says so where it comes to that. */
const name = read((text) => {
  if (text !== '' && Buffer.byteLength(text) <= 63 && !/[\0-\x1f]/.test(text)) return text;
  throw new RangeError(`"${text}" cannot be a name`);
});
const path = z.string('must be a path').min(1, 'must be a path');
const times = read((text) => parseTimes(text).expression);

const contents = { 'migrations-dir': path.optional(), 'seed-path': path.optional() };

/** `read`, or words by database: `{ shop: write, reports: read }`. */
const privileges = z.unknown().transform((value, context): { database: string | undefined; words: Privileges }[] => {
  const byDatabase: [string | undefined, unknown][] =
    value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : [[undefined, value]];
  return byDatabase.flatMap(([database, words]) => {
    try {
      return [{ database, words: readPrivileges(Array.isArray(words) ? words.join(',') : String(words)) }];
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return [];
    }
  });
});

const list = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').flatMap((part) => part.trim() || []) : value),
  z.array(z.string().min(1)),
);

export const poolerShape = z.strictObject({
  mode: z.enum(poolModes).optional(),
  size: wholeNumber(1).optional(),
  port: port.optional(),
});

export const databaseShape = z.strictObject({ owner: name.optional(), ...contents });

export const userShape = z.strictObject({ privileges: privileges.optional(), 'member-of': list.optional() });

const pooler = z.preprocess(
  (value) => (value === 'true' || value === '' ? {} : value === 'false' ? undefined : value),
  poolerShape.optional(),
);

export const instanceShape = z.strictObject({
  state: z.enum(['running', 'stopped']).optional(),
  template: z.string().min(1).optional(),
  'pg-version': wholeNumber(1).optional(),
  port: port.optional(),
  'port-range': read((text) => (parseRange(text), text)).optional(),
  memory: size.optional(),
  'max-connections': wholeNumber(1).optional(),
  overcommit: truth.optional(),
  archive: z.enum(['command', 'streaming']).optional(),
  set: orEmpty(z.record(z.string(), z.string('must be one value; write a list in quotes: "a, b"'))).optional(),
  username: name.optional(),
  database: name.optional(),
  locale: z.string().min(1).optional(),
  ...contents,
  pooler: pooler.optional(),
  databases: orAny(z.record(name, orEmpty(databaseShape))).optional(),
  users: orAny(z.record(name, orEmpty(userShape))).optional(),
});

export const scheduleShape = z
  .strictObject({
    instances: z.string().min(1).default('all'),
    backup: times.optional(),
    prove: times.optional(),
    keep: wholeNumber(1).optional(),
    'retention-days': wholeNumber(1).optional(),
    jitter: wholeNumber(0).optional(),
    'ping-file': path.optional(),
    with: z.enum(schedulers).optional(),
  })
  .refine(
    ({ backup, prove }) => backup !== undefined || prove !== undefined,
    'says neither when to back up nor when to prove',
  );

const instanceName = read(parseName);

export const fleetShape = z.strictObject({
  defaults: orEmpty(instanceShape).optional(),
  instances: orEmpty(z.record(instanceName, orEmpty(instanceShape))),
  schedule: orAny(scheduleShape).optional(),
  autostart: truth.optional(),
});

export type FleetText = z.infer<typeof fleetShape>;
export type InstanceText = z.infer<typeof instanceShape>;

const keysOf = (shape: z.ZodObject): string[] => Object.keys(shape.shape);

/** The keys that may stand at a place of the file. */
export function keysAt(place: readonly PropertyKey[]): readonly string[] {
  const [top, ...below] = place;
  if (top === undefined) return keysOf(fleetShape);
  if (top === 'schedule') return keysOf(scheduleShape);
  const [key] = top === 'instances' ? below.slice(1) : below;
  const shapes: Readonly<Record<PropertyKey, z.ZodObject>> = {
    users: userShape,
    databases: databaseShape,
    pooler: poolerShape,
  };
  return keysOf((key === undefined ? undefined : shapes[key]) ?? instanceShape);
}

const sayings: Readonly<Record<string, string>> = {
  password: 'passwords are made and kept by the tool; connect --username shows one',
  passwords: 'passwords are made and kept by the tool; connect --username shows one',
  ping: 'the address may be a secret: ping-file names the file that holds it',
  checksums: 'every instance has them',
  encoding: 'every instance is UTF8',
};

export function advise(key: string): string | undefined {
  return Object.hasOwn(sayings, key) ? sayings[key] : undefined;
}
