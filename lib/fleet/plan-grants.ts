import { type Privileges, privilegesBeyond, privilegeWords, readPrivileges } from '../databases/privileges.ts';
import type { HeldPrivileges } from '../databases/survey.ts';
import type { InstanceName } from '../instances/names.ts';
import type { DeclaredUser } from './declared.ts';
import type { ObservedServer } from './observe.ts';
import { notInFile, type Step } from './steps.ts';

export function userStep(instance: InstanceName, username: string): Step {
  const change = { what: `user ${username}`, after: 'with a new password' };
  return { sign: '+', instance, action: 'create-user', options: { username }, changes: [change] };
}

const none = readPrivileges('');

interface GrantsOf {
  instance: InstanceName;
  /** The instance's own database. */
  own: string;
  user: DeclaredUser;
  /** Undefined where nobody has anything yet. */
  held: { server: ObservedServer; role: ObservedServer['roles'][number] | undefined } | undefined;
}

/** One call of create-user for each database on which the user lacks privileges, or at all memberships; and one for what is too much. */
export function grantSteps({ instance, own, user, held }: GrantsOf): Step[] {
  const role = held?.role;
  const wantedOn = new Map(user.privileges.map(({ database, words }) => [database ?? own, words]));
  const attributes = user.privileges.flatMap(({ words }) => words.attributes);
  const what = `user ${user.name}`;
  const listed = (option: string, words: string[]) => (words.length === 0 ? {} : { [option]: words.join(',') });
  const steps: Step[] = [];
  for (const database of new Set([own, ...wantedOn.keys(), ...(held?.server.privileges.keys() ?? [])])) {
    const wanted = wantedOn.get(database) ?? none;
    const there = heldOn(held?.server.privileges.get(database)?.get(user.name), role?.attributes ?? [], wanted);
    const isOwn = database === own; // where what is the same in all databases is told
    const call = { instance, action: 'create-user' as const };
    const target = { username: user.name, database };

    const gets = privilegeWords(privilegesBeyond(wanted, there));
    const joins = isOwn ? user.memberOf.filter((group) => role?.memberOf.includes(group) !== true) : [];
    if (gets.length + joins.length > 0) {
      const options = { ...target, ...listed('privileges', gets), ...listed('member-of', joins) };
      const changes = [
        ...(gets.length === 0 ? [] : [{ what, after: `${gets.join(', ')} on ${database}` }]),
        ...(joins.length === 0 ? [] : [{ what, after: `member of ${joins.join(', ')}` }]),
      ];
      steps.push({ ...call, sign: role === undefined ? '+' : '~', options, changes });
    }

    const surplus = privilegesBeyond(there, { ...wanted, attributes });
    const loses = privilegeWords({ ...surplus, attributes: isOwn ? surplus.attributes : [] });
    const leaves = isOwn ? (role?.memberOf ?? []).filter((group) => !user.memberOf.includes(group)) : [];
    if (loses.length + leaves.length > 0) {
      // Taking back what was granted on tables takes it all: what is to stay is granted again.
      const stays = surplus.onTables === undefined ? [] : privilegeWords({ ...none, onTables: wanted.onTables });
      const taken = { ...listed('without', loses), ...listed('not-member-of', leaves) };
      const too = [
        ...(loses.length === 0 ? [] : [`${loses.join(', ')} on ${database}`]),
        ...(leaves.length === 0 ? [] : [`member of ${leaves.join(', ')}`]),
      ];
      const changes = too.map((before) => ({ what, before, why: notInFile }));
      const options = { ...target, ...listed('privileges', stays), ...taken };
      steps.push({
        ...call,
        sign: '-',
        options,
        changes,
        asks: `takes from ${user.name} of ${instance}: ${too.join(', ')}`,
      });
    }
  }
  return steps;
}

/** What is held already; what an owner may anyway, and what comes with the right to read, is neither missing nor too much. */
function heldOn(
  held: HeldPrivileges | undefined,
  attributes: Privileges['attributes'],
  wanted: Privileges,
): Privileges {
  const { isOwner = false, onDatabase = [], onTables } = held ?? {};
  const counts = isOwner ? wanted.onDatabase : onDatabase;
  const implied = wanted.onTables !== undefined && !wanted.onDatabase.includes('connect');
  return { attributes, onDatabase: implied ? counts.filter((word) => word !== 'connect') : counts, onTables };
}
