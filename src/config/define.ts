import type { SluiceConfig, SqlExpression } from './types.ts'

/**
 * Returns its argument: it only gives an editor the types. A plain object does as well.
 *
 *     export default defineConfig({ documents: { city: { table: 'geo.city', index: 'cities' } } })
 *
 * A name given twice in one object literal (two documents `city`) is an error of the type checker; at run time
 * JavaScript has dropped the first one, unseen. A JSON configuration with a name twice is refused.
 */
export function defineConfig(config: SluiceConfig): SluiceConfig {
  return config
}

/**
 * SQL over the columns of the root row, for a field: `slug: sql('lower(name)')`. In JSON: `{ "sql": "lower(name)" }`.
 * Postgres parses it at install; volatile functions and sub-selects are refused.
 */
export function sql(text: string): SqlExpression {
  return { sql: text }
}
