/** An identifier, a string, or the number of a parameter. */
const PARTS = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\$(\d+)/g

/**
 * Text of a COPY of a query's rows. A COPY has no parameters: where the query has `$1`, it reads a setting of the
 * transaction, so that its text is always the same (to `pg_stat_statements` each text would be another statement). The
 * planner looks into the setting, as it does into a parameter: it knows how many elements an array has.
 *
 * @param sql a query as the plan has it: no comments, no strings but '…', each parameter with a cast (`$1::int8[]`)
 */
export function copyText(sql: string): string {
  const query = sql.replaceAll(PARTS, (part: string, number: string | undefined) =>
    number === undefined ? part : `current_setting('${settingName(Number(number))}')`,
  )
  return `COPY (${query}) TO STDOUT (FORMAT binary)`
}

/** Arrays as the settings in which `copyText` looks for its parameters: the first for `$1`. */
export function copySettings(
  arrays: readonly (readonly (string | null)[])[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(arrays.map((values, n) => [settingName(n + 1), arrayText(values)]))
}

function settingName(number: number): string {
  return `sluice.parameter_${number}`
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayText(values: readonly (string | null)[]): string {
  const elements = values.map((value) =>
    value === null ? 'NULL' : `"${value.replaceAll(/["\\]/g, '\\$&')}"`,
  )
  return `{${elements.join(',')}}`
}
