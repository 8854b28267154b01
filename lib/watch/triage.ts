import type { Severity } from '../diagnosis/finding.ts';

export type Category = 'resource conflict' | 'data integrity' | 'configuration';

/** How urgent a problem is and what it will take, in the words of the registry that the old tool's users keep. */
export interface Triage {
  category: Category;
  severity: 'critical' | 'high';
  impact: 'system_down' | 'degraded_performance';
  /** 1 to 10. */
  impactScore: number;
  urgency: 'critical' | 'high' | 'medium';
  /** 0 to 1. */
  successProbability: number;
  resourceCost: 'light' | 'moderate' | 'heavy';
  /** True where the data itself is in doubt: a person must decide. */
  escalated: boolean;
}

const integrity =
  /^(ARCHIVE|BACKUP|NO_BACKUP|WAL|CHECKSUM|DAMAGE|INSTANCE_BROKEN|INSTANCE_CRASHED|CLOCK|RESTORE_FAILED|CONTROL_FILE|FILE_DAMAGED|WRONG_SERVER)/;
const resources =
  /^(PORT|NO_FREE_PORT|LEASE|CONNECTIONS|DISK|INODES|GROUP_MEMORY|SHARED_MEMORY|IDLE|SERVER_SILENT|START|STILL_STARTING|STOP_TIMEOUT|STALE_LOCK|DATA_IN_USE|LOCK|MIGRATION_LOCKED|UNFINISHED|POOLER|QUARANTINE|SCRATCH|HUGE|MEMORY|PROGRAM_TIMEOUT)/;
const down =
  /^(INSTANCE_CRASHED|INSTANCE_BROKEN|SERVER_SILENT|PROGRAMS_GONE|PORT_STRANGER|DATA_MODE|WRONG_OWNER|START_FAILED|WRONG_SERVER|RESTORE_FAILED|CONTROL_FILE_DAMAGED)$/;
/** The data, or what would bring it back, is lost or not to be trusted. */
const corruption =
  /^(CHECKSUM_FAILURES|DAMAGE_ALARM|DAMAGED_DATA|WAL_GAP|WAL_MISSING|INSTANCE_BROKEN|CONTROL_FILE_DAMAGED|FILE_DAMAGED|BACKUP_NOT_PROVEN)$/;

/** Pure: judges a finding by its code. @param frequent whether it comes again and again */
export function triage(code: string, severity: Severity, frequent: boolean): Triage {
  const category: Category = integrity.test(code)
    ? 'data integrity'
    : resources.test(code)
      ? 'resource conflict'
      : 'configuration';
  const critical = severity === 'critical';
  const systemDown = down.test(code);
  const escalated = corruption.test(code);
  const score = (escalated ? 10 : critical ? 9 : 6) + Number(frequent);
  return {
    category,
    severity: critical ? 'critical' : 'high',
    impact: systemDown ? 'system_down' : 'degraded_performance',
    impactScore: Math.min(10, score),
    urgency: escalated || systemDown ? 'critical' : critical ? 'high' : 'medium',
    successProbability: { 'data integrity': 0.7, 'resource conflict': 0.9, configuration: 0.9 }[category],
    resourceCost: ({ 'data integrity': 'heavy', 'resource conflict': 'moderate', configuration: 'light' } as const)[
      category
    ],
    escalated,
  };
}
