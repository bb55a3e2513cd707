/**
 * What every read of the application's tables runs under, for one transaction only: session settings do not survive
 * a pooler. row_security = off raises instead of hiding rows: hidden rows would become deletes (invariant 12). The
 * formats make keys, dates and floats the same text whatever the role's defaults.
 */
export const READ_SETTINGS: Readonly<Record<string, string>> = {
  row_security: 'off',
  timezone: 'UTC',
  datestyle: 'ISO, YMD',
  intervalstyle: 'iso_8601',
  extra_float_digits: '1',
  bytea_output: 'hex',
  jit: 'off',
}

/** The same as statements, to be sent with a BEGIN in one round trip. */
export const readConditions: string = Object.entries(READ_SETTINGS)
  .map(([name, value]) => `SET LOCAL ${name} = '${value}'`)
  .join('; ')
