/** The wall clock, in milliseconds since 1970 UTC: for records and names. */
export function nowMs(): number {
  return Date.now();
}

/** The present as ISO-8601 UTC, as every record and JSON document writes it. */
export function nowIso(): string {
  return new Date(nowMs()).toISOString();
}

/** The present as a name that sorts by time: `20261121T101500Z`. */
export function timestampId(): string {
  return nowIso().replaceAll(/[-:]|\.\d+/g, '');
}

/** A clock that never jumps, in milliseconds: for durations and limits. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6; // `performance` would be loaded for it
}
