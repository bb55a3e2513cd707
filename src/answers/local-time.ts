/** `2026-03-29 03:00`: a moment by the clocks of a time zone. */
export function localTime(utc: string, timeZone: string): string {
  // Swedish writes it so.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(
    new Date(utc),
  )
}
