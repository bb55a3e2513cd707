/**
 * What every read of the application's tables runs under here, for one transaction: as in the pipeline's load, so that
 * a key has the same text in both. row_security = off raises instead of hiding rows: hidden rows would be left out of
 * a backfill, and to verify they would look deleted (invariant 12).
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
