import type { Sandbox } from './cli.ts';

/** A finding as `diagnose --json` tells it. */
export interface Told {
  code: string;
  severity: string;
  subject: string;
  cause: string;
  remedy: string;
  fixable: boolean;
}

export async function diagnoseIn(
  sandbox: Sandbox,
  ...args: string[]
): Promise<{ code: number; findings: Told[]; fixed: Told[] }> {
  const finished = await sandbox.manage(['diagnose', '--json', ...args]);
  const { findings, fixed } = finished.json().data as { findings: Told[]; fixed: Told[] };
  return { code: finished.code, findings, fixed };
}

/** Findings in a line each, for comparing. */
export function codes(told: readonly Told[]): string[] {
  return told.map(({ code, subject }) => `${subject} ${code}`);
}
