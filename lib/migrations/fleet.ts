import { compareVersions } from './files.ts';
import type { MigrationEntry, MigrationState } from './plan.ts';

/** An instance, and where each version stands in its database; or why nobody knows. */
export type FleetMember = { instance: string } & ({ migrations: MigrationEntry[] } | { problem: string });

/** `later`: pending, but beyond the last version that is wanted. `-`: not known. */
export type FleetState = MigrationState | 'later' | '-';

export interface FleetRow {
  instance: string;
  /** In the order of the plan's versions. */
  states: FleetState[];
  /** How many files are to be applied. */
  pending: number;
  /** What keeps it from being migrated, as far as can be seen. */
  problem: string | null;
}

export interface FleetPlan {
  versions: string[];
  rows: FleetRow[];
}

/** Where each version stands in each instance. @param to the last version that is wanted; all when absent */
export function planFleet(members: FleetMember[], to?: string): FleetPlan {
  const versions = allVersions(members);
  const isLater = (version: string): boolean =>
    to !== undefined && isNumber(version) && compareVersions(version, to) > 0;
  const rows = members.map((member): FleetRow => {
    const stateOf = new Map('problem' in member ? [] : member.migrations.map(({ version, state }) => [version, state]));
    const states = versions.map((version): FleetState => {
      const state = stateOf.get(version) ?? '-';
      return state === 'pending' && isLater(version) ? 'later' : state;
    });
    const pending = states.filter((state) => state === 'pending' || state === 'partial').length;
    return { instance: member.instance, states, pending, problem: problemOf(member) };
  });
  return { versions, rows };
}

/** The first that has anything to apply, so that a run that goes on after a failure has a canary too. */
export function firstToMigrate({ rows }: FleetPlan): string | undefined {
  return (rows.find(({ pending, problem }) => pending > 0 && problem === null) ?? rows[0])?.instance;
}

/** Neighbouring versions that stand alike in every instance, as one column: a fleet of one state fits on any screen. */
export function columnsOf({ versions, rows }: FleetPlan): { title: string; index: number }[] {
  const columns: { first: string; last: string; index: number }[] = [];
  versions.forEach((version, index) => {
    const before = columns.at(-1);
    if (before !== undefined && rows.every(({ states }) => states[index] === states[before.index]))
      before.last = version;
    else columns.push({ first: version, last: version, index });
  });
  return columns.map(({ first, last, index }) => ({ title: first === last ? first : `${first} to ${last}`, index }));
}

function problemOf(member: FleetMember): string | null {
  if ('problem' in member) return member.problem;
  const wrong = member.migrations.find(({ state }) => ['changed', 'missing', 'out-of-order'].includes(state));
  return wrong === undefined ? null : `${wrong.file}: ${wrong.state}`;
}

/** Each member's versions come in order; one that only some know stands after the one before it there. */
function allVersions(members: FleetMember[]): string[] {
  const versions: string[] = [];
  for (const member of members) {
    if ('problem' in member) continue;
    member.migrations.forEach(({ version }, index) => {
      if (versions.includes(version)) return;
      const before = member.migrations[index - 1]?.version;
      versions.splice(before === undefined ? 0 : versions.indexOf(before) + 1, 0, version);
    });
  }
  return versions;
}

function isNumber(version: string): boolean {
  return /^\d+$/.test(version);
}
