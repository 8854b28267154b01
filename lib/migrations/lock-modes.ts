import type { ParseNode } from '../postgres/grammar.ts';

/** A lock that a statement takes on something that is there already. */
export interface TakenLock {
  /** As PostgreSQL's documentation names it ("Explicit Locking"). */
  mode: LockMode;
  /** The tables, as the statement names them. */
  on: string;
}

export type LockMode =
  | 'ACCESS SHARE'
  | 'ROW SHARE'
  | 'ROW EXCLUSIVE'
  | 'SHARE UPDATE EXCLUSIVE'
  | 'SHARE'
  | 'SHARE ROW EXCLUSIVE'
  | 'EXCLUSIVE'
  | 'ACCESS EXCLUSIVE';

/** Weakest first; LOCK TABLE's parse tree holds the number, from 1 (src/include/storage/lockdefs.h). */
const modes: readonly LockMode[] = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
];

/**
 * The strongest lock a statement takes on each existing table that it names, as its grammar tells: what a function, a trigger
 * or a DO block does is not seen.
 */
export function locksOf({ kind, node }: { kind: string; node: ParseNode }): TakenLock[] {
  const taken = byKind[kind]?.(node) ?? [];
  return taken.filter(({ on }) => on !== '');
}

type Locks = (node: ParseNode) => TakenLock[];

const byKind: Record<string, Locks> = {
  AlterTableStmt: (node) => [{ mode: alterMode(node), on: tableOf(node) }, ...foreignTables(node['cmds'])],
  IndexStmt: (node) => [{ mode: concurrentOr(node, 'SHARE'), on: tableOf(node) }],
  DropStmt: dropLocks,
  TruncateStmt: (node) => tablesOf(node['relations'], 'ACCESS EXCLUSIVE'),
  LockStmt: (node) => tablesOf(node['relations'], modes[Number(node['mode']) - 1] ?? 'ACCESS EXCLUSIVE'),
  RenameStmt: (node) => [
    { mode: node['renameType'] === 'OBJECT_INDEX' ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE', on: tableOf(node) },
  ],
  AlterObjectSchemaStmt: on('ACCESS EXCLUSIVE'),
  CreateTrigStmt: on('SHARE ROW EXCLUSIVE'),
  RuleStmt: on('ACCESS EXCLUSIVE'),
  CreatePolicyStmt: (node) => [{ mode: 'ACCESS EXCLUSIVE', on: named(node['table']) }],
  AlterPolicyStmt: (node) => [{ mode: 'ACCESS EXCLUSIVE', on: named(node['table']) }],
  CreateStmt: createLocks,
  InsertStmt: on('ROW EXCLUSIVE'),
  UpdateStmt: on('ROW EXCLUSIVE'),
  DeleteStmt: on('ROW EXCLUSIVE'),
  MergeStmt: on('ROW EXCLUSIVE'),
  CopyStmt: (node) => [{ mode: node['is_from'] === true ? 'ROW EXCLUSIVE' : 'ACCESS SHARE', on: tableOf(node) }],
  VacuumStmt: vacuumLocks,
  ReindexStmt: (node) => [
    {
      mode: JSON.stringify(node['params'] ?? '').includes('concurrently') ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE',
      on: tableOf(node),
    },
  ],
  ClusterStmt: on('ACCESS EXCLUSIVE'),
  RefreshMatViewStmt: (node) => [
    { mode: node['concurrent'] === true ? 'EXCLUSIVE' : 'ACCESS EXCLUSIVE', on: tableOf(node) },
  ],
  ViewStmt: (node) => (node['replace'] === true ? [{ mode: 'ACCESS EXCLUSIVE', on: named(node['view']) }] : []),
  AlterSeqStmt: (node) => [{ mode: 'SHARE ROW EXCLUSIVE', on: named(node['sequence']) }],
};

/** What ALTER TABLE does under less than the strongest lock (AlterTableGetLockLevel, src/backend/commands/tablecmds.c). */
const weaker: Record<string, LockMode> = {
  AT_ValidateConstraint: 'SHARE UPDATE EXCLUSIVE',
  AT_SetStatistics: 'SHARE UPDATE EXCLUSIVE',
  AT_ClusterOn: 'SHARE UPDATE EXCLUSIVE',
  AT_DropCluster: 'SHARE UPDATE EXCLUSIVE',
  AT_SetOptions: 'SHARE UPDATE EXCLUSIVE',
  AT_ResetOptions: 'SHARE UPDATE EXCLUSIVE',
  AT_AttachPartition: 'SHARE UPDATE EXCLUSIVE',
  AT_DetachPartitionFinalize: 'SHARE UPDATE EXCLUSIVE',
  AT_EnableTrig: 'SHARE ROW EXCLUSIVE',
  AT_EnableTrigAll: 'SHARE ROW EXCLUSIVE',
  AT_EnableTrigUser: 'SHARE ROW EXCLUSIVE',
  AT_DisableTrig: 'SHARE ROW EXCLUSIVE',
  AT_DisableTrigAll: 'SHARE ROW EXCLUSIVE',
  AT_DisableTrigUser: 'SHARE ROW EXCLUSIVE',
};

interface Command {
  AlterTableCmd?: { subtype: string; def?: { Constraint?: ParseNode; PartitionCmd?: ParseNode } };
}

function alterMode(node: ParseNode): LockMode {
  const each = (node['cmds'] as Command[]).map(({ AlterTableCmd: command }): LockMode => {
    if (command?.def?.Constraint?.['contype'] === 'CONSTR_FOREIGN') return 'SHARE ROW EXCLUSIVE';
    if (command?.def?.PartitionCmd?.['concurrent'] === true) return 'SHARE UPDATE EXCLUSIVE';
    return weaker[command?.subtype ?? ''] ?? 'ACCESS EXCLUSIVE';
  });
  return each.reduce(
    (strongest, mode) => (modes.indexOf(mode) > modes.indexOf(strongest) ? mode : strongest),
    modes[0]!,
  );
}

/** A foreign key puts triggers on the table that it points to. */
function foreignTables(parts: unknown): TakenLock[] {
  const targets = JSON.stringify(parts ?? []).matchAll(/"pktable":(\{[^{}]*\})/g);
  return [...targets].map(([, text = '{}']) => ({
    mode: 'SHARE ROW EXCLUSIVE',
    on: named(JSON.parse(text)),
  }));
}

function createLocks(node: ParseNode): TakenLock[] {
  // The parents of a partition or of a child that inherits.
  const parents = tablesOf(
    node['inhRelations'],
    node['partbound'] === undefined ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE',
  );
  return [...parents, ...foreignTables([node['tableElts'], node['constraints']])];
}

const relations = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW', 'OBJECT_INDEX', 'OBJECT_SEQUENCE']);

function dropLocks(node: ParseNode): TakenLock[] {
  if (!relations.has(String(node['removeType']))) return [];
  const objects = node['objects'] as { List: { items: { String: { sval: string } }[] } }[];
  const names = objects.map(({ List }) => List.items.map((item) => item.String.sval).join('.'));
  return [{ mode: concurrentOr(node, 'ACCESS EXCLUSIVE'), on: names.join(', ') }];
}

function vacuumLocks(node: ParseNode): TakenLock[] {
  const rels = (node['rels'] ?? []) as { VacuumRelation?: { relation?: ParseNode } }[];
  const names = rels.map(({ VacuumRelation: one }) => named(one?.relation)).join(', ');
  const full = JSON.stringify(node['options'] ?? '').includes('"full"');
  return [{ mode: full ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE', on: names || 'every table' }];
}

function concurrentOr(node: ParseNode, mode: LockMode): LockMode {
  return node['concurrent'] === true ? 'SHARE UPDATE EXCLUSIVE' : mode;
}

function on(mode: LockMode): Locks {
  return (node) => [{ mode, on: tableOf(node) }];
}

function tableOf({ relation }: ParseNode): string {
  return named(relation);
}

function named(relation: unknown): string {
  const { schemaname, relname } = (relation ?? {}) as ParseNode;
  return [schemaname, relname].filter((part) => typeof part === 'string').join('.');
}

function tablesOf(list: unknown, mode: LockMode): TakenLock[] {
  const names = ((list ?? []) as { RangeVar?: ParseNode }[]).map(({ RangeVar: one }) => named(one));
  return [{ mode, on: names.join(', ') }];
}
