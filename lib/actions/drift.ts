import type { AppError } from '../errors.ts';
import { exitStatus, toAppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import { changedLines, compareSchemas, type Difference, type Variant } from '../schema/compare.ts';
import { describeSchema, type SchemaDescription } from '../schema/describe.ts';
import { type Context, hostAction, type Text } from './action.ts';
import { migrationConnection } from './migration-target.ts';

interface Described extends SchemaDescription {
  instance: InstanceName;
}

interface Unread {
  instance: InstanceName;
  error: AppError;
}

export const drift = hostAction({
  name: 'drift',
  summary: 'whether siblings have the same schema',
  details:
    "Describes the schema of each instance's database from its catalogue, and shows object by object which instances lack it or have it otherwise than most. Roles, extensions and settings of the server are not compared; the tool's own schemas and names of the instances' own roles do not count. Exit status 0 when all are equal, 1 when not.",
  examples: [
    ["./manage.ts --action drift --instance 'client-*'", 'what differs, and where'],
    ["./manage.ts drift 'client-*' --json | jq '.data.differences[].name'", 'for scripts'],
  ],
  options: { database: { type: 'string', alias: 'd', describe: "instead of the instances' own databases" } },
  target: 'some',
  lock: 'none',
  changes: false,
  async run(context, { database }, selected) {
    const looked = await Promise.all(selected.map(async (name) => await look(context, name, database)));
    const described = looked.filter((one) => 'objects' in one);
    const unread = looked.filter((one) => 'error' in one);
    const [only] = unread;
    if (described.length === 0 && only !== undefined) throw only.error;
    warnOfVersions(context, described);
    for (const { instance, error } of unread) context.task.warn(`${instance} is not compared: ${error.message}`);
    const differences = compareSchemas(described);
    const equal = differences.length === 0;
    return {
      data: {
        equal,
        instances: described.map(({ instance: name, fingerprint, objects }) => ({
          name,
          fingerprint,
          objects: objects.length,
        })),
        differences,
        unread: unread.map(({ instance: name, error: { code, message } }) => ({ name, code, message })),
      },
      text: page(described, differences),
      exitCode: !equal ? exitStatus.failed : unread.length > 0 ? exitStatus.partial : exitStatus.done,
    };
  },
});

async function look(context: Context, instance: InstanceName, database?: string): Promise<Described | Unread> {
  try {
    return { instance, ...(await describeSchema(context.task, migrationConnection(context, instance, database))) };
  } catch (error) {
    context.task.signal.throwIfAborted();
    return { instance, error: toAppError(error) };
  }
}

function warnOfVersions({ task }: Context, described: Described[]): void {
  const majors = [...new Set(described.map(({ serverMajor }) => serverMajor))].toSorted((a, b) => a - b);
  if (majors.length < 2) return;
  task.warn(
    `these run PostgreSQL ${majors.join(' and ')}, which may put the same view or expression into different words`,
  );
}

function page(described: Described[], differences: Difference[]): Text[] {
  const rows = described.map(({ instance, fingerprint, objects }) => [
    instance,
    fingerprint.slice(0, 16),
    String(objects.length),
  ]);
  const verdict =
    differences.length > 0
      ? `${differences.length} ${differences.length === 1 ? 'object differs' : 'objects differ'}`
      : described.length < 2
        ? 'there is nothing to compare it with'
        : `all ${described.length} schemas are equal`;
  return [
    ...(rows.length === 0 ? [] : [{ head: ['instance', 'fingerprint', 'objects'], rows }]),
    { line: verdict },
    ...differences.map((difference) => ({ line: tell(difference) })),
  ];
}

function tell({ kind, name, variants: [usual, ...others] }: Difference): string {
  const parts = others.flatMap((variant) => tellVariant(usual, variant));
  return [`\n${kind} ${name} (as in ${usual.instances.join(', ')}${lacking(usual)})`, ...parts].join('\n');
}

function lacking({ definition }: Variant): string {
  return definition === null ? ', which have none' : '';
}

/** Longer changes are in --json as a whole. */
const mostLines = 12;

function tellVariant(usual: Variant, { definition, instances }: Variant): string[] {
  const who = `  ${instances.join(', ')}`;
  if (definition === null) return [`${who}: lacks it`];
  if (usual.definition === null) return [`${who}: has it`];
  const { gone, come } = changedLines(usual.definition, definition);
  const lines = [...gone.map((line) => `    - ${line}`), ...come.map((line) => `    + ${line}`)];
  if (lines.length === 0) return [`${who}: has the same in another order`];
  const more = lines.length - mostLines;
  return [`${who}: differs`, ...lines.slice(0, mostLines), ...(more > 0 ? [`    … ${more} more lines`] : [])];
}
