import { exists } from '../host/files.ts';
import {
  livePostmaster,
  majorOf,
  type PostmasterFile,
  systemIdentifierOf,
  wasShutDown,
} from '../postgres/postmaster.ts';
import { AppError } from '../errors.ts';
import { explainingAccess } from './access.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

export const instanceStates = ['creating', 'running', 'starting', 'stopped', 'crashed', 'broken'] as const;
export type InstanceState = (typeof instanceStates)[number];

export interface Observed {
  state: InstanceState;
  /** Why a state is what it is, where that is not plain. */
  message?: string;
  postmaster?: PostmasterFile;
}

/** Why a server that runs takes nobody in; the contract has no state of its own for it. */
export const stoppingMessage = 'stopping: it takes no new connections, and ends when it has closed those it has';

/** Looks at an instance's files and process. Asks no server anything, so it cannot hang. */
export function observe(paths: InstancePaths, record: InstanceRecord): Observed {
  try {
    return explainingAccess(record.name, paths, () => look(paths, record));
  } catch (error) {
    // Data that we may not look at is no reason to fail: that is how it is.
    if (error instanceof AppError && error.code === 'DATA_PERMISSIONS')
      return { state: 'broken', message: error.message };
    throw error;
  }
}

function look(paths: InstancePaths, record: InstanceRecord): Observed {
  if (!exists(paths.data)) return { state: 'broken', message: `the data directory ${paths.data} is missing` };
  const identifier = systemIdentifierOf(paths.data);
  if (identifier === undefined) return { state: 'broken', message: `${paths.data} has no control file` };
  if (identifier !== record.systemIdentifier) {
    return {
      state: 'broken',
      message: `${paths.data} is another database system (${identifier}) than the record says`,
    };
  }
  const major = majorOf(paths.data);
  if (major !== record.version) {
    return { state: 'broken', message: `the data was made by PostgreSQL ${major}, the record says ${record.version}` };
  }
  const postmaster = livePostmaster(paths.data);
  if (postmaster !== undefined) {
    if (postmaster.status === 'ready') return { state: 'running', postmaster };
    if (postmaster.status === 'stopping') return { state: 'running', message: stoppingMessage, postmaster };
    return { state: 'starting', postmaster };
  }
  return wasShutDown(paths.data)
    ? { state: 'stopped' }
    : { state: 'crashed', message: 'the server ended without a shutdown; start recovers it' };
}
