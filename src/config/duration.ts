const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `30m`, `24h`, `7d` or `0` in milliseconds; null for anything else. */
export function milliseconds(text: string): number | null {
  const [, number, unit = ''] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? []
  const factor = unit === '' && Number(number) === 0 ? 0 : UNITS[unit]
  return number === undefined || factor === undefined ? null : Number(number) * factor
}
