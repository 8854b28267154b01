import type { Finding } from '../../../lib/diagnosis/finding.ts';

/** Findings as `SEVERITY CODE`, for comparing in one line. */
export function told(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, code }) => `${severity} ${code}`);
}
