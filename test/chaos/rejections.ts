import pg from 'pg'
import { isConnectionError, sqlState } from '../../src/postgres/connect.ts'
import type { Disturber } from './disturber.ts'
import { ordinary } from './workload.ts'

/** As many rows as a statement of the application may touch. */
const ROWS = 400

/**
 * Rows that Elasticsearch refuses, many at once: a stock that does not fit its mapping. Half of the times the application
 * puts them right; the others stay until somebody writes them.
 */
export function massRejections(url: string): Disturber {
  return {
    name: 'rejections',
    every: [5_000, 15_000],
    disturb: async (choices, pause) => {
      const from = choices.int(1, 2_000)
      const update = (stock: number) =>
        written(url, 'UPDATE shop.item SET stock = $1, active = true WHERE id BETWEEN $2 AND $3', [
          stock,
          from,
          from + ROWS,
        ])
      if (!(await update(40_000))) return null
      await pause(choices.int(100, 3_000))
      if (choices.chance(0.5)) return 'rows that stay'
      return (await update(1)) ? 'rows put right' : 'rows that stay'
    },
    heal: async () => undefined,
  }
}

async function written(url: string, sql: string, values: readonly unknown[]): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(sql, [...values])
    return true
  } catch (error) {
    const state = sqlState(error)
    if (isConnectionError(error) || (state !== undefined && ordinary.has(state))) return false
    throw error
  } finally {
    await client.end().catch(() => undefined)
  }
}
