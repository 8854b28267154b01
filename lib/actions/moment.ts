/** A moment as people read it: `2026-11-21 10:15:00 UTC`. */
export function moment(iso: string | null | undefined): string {
  return iso ? `${iso.slice(0, 19).replace('T', ' ')} UTC` : '-';
}
