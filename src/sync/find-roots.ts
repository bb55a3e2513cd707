import type pg from 'pg'
import { castSql, probeSql } from '../documents/expansion-sql.ts'
import { decodeKey } from '../documents/keys.ts'
import type { ExpansionPlan } from '../documents/types.ts'
import { isCancelled, isDataError, readOnly } from '../postgres/read-transaction.ts'

/**
 * Documents that one link value leads to: their keys; `many` where they are more than FEW_ROOTS, or were not counted to
 * the end; `unreadable` where looking them up fails.
 */
export type Roots = readonly string[] | 'many' | 'unreadable'

export interface FoundRoots {
  readonly roots: ReadonlyMap<string, Roots>
  /** Of the servers that were asked; none where there was nothing to ask. */
  readonly servers: readonly string[]
}

export interface Probe {
  readonly schema: string
  readonly expansion: ExpansionPlan
  /** Distinct link values, in the order of their marks. */
  readonly links: readonly string[]
  /** Documents that one value may lead to without becoming `many`. */
  readonly mostOfEach: number
  /** Documents that may be found in all; the values after them are `many`. */
  readonly most: number
  /** When all looks together have taken too long; milliseconds of performance.now(). */
  readonly until: number
}

/**
 * Link values → keys of documents as they are now, with one bounded query. A value that it fails for is found by
 * halving, as a row that cannot be loaded is. A query that takes too long asked for too much: an index is missing, and all
 * its values are `many`, for which the table is read once instead of once a value.
 *
 * Postgres 18, 171,075 rows with an index on the link, two shared cores and busy, median:
 *
 *     1 value of 17 documents, or of 17,343              3 ms
 *     100 values of 17                                  15 ms
 *     1,000 values of 17, cut at 2,000 documents        11 ms   (the order of `n` needs no sort: it stops there)
 *     1,000 values of 17, all of them                   87 ms
 *     1,000 values of 300, cut at 2,000                 24 ms
 */
export async function findRoots(client: pg.PoolClient, probe: Probe): Promise<FoundRoots> {
  const { schema, expansion, links, mostOfEach, most, until } = probe
  const roots = new Map<string, Roots>()
  const sql = probeSql(schema, expansion, mostOfEach + 1)
  const servers = new Set<string>()

  const read = async <T>(query: () => Promise<T>): Promise<T> => {
    const { result, server } = await readOnly(
      client,
      { timeoutMs: until - performance.now(), ridesIndexes: true },
      query,
    )
    servers.add(server)
    return result
  }

  const look = async (some: readonly Link[]): Promise<void> => {
    if (some.length === 0) return
    try {
      const values = [...expansion.links.map((_, n) => some.map(({ parts }) => parts[n] ?? null)), most + 1]
      const { rows } = await read(() => client.query<Row>({ text: sql, values, rowMode: 'array' }))
      for (const [link, found] of fold(some, rows, probe)) roots.set(link, found)
    } catch (error) {
      if (isCancelled(error)) for (const { link } of some) roots.set(link, 'many')
      else if (!isDataError(error)) throw error
      else if (some.length === 1) for (const one of some) roots.set(one.link, await alone(one))
      else {
        const middle = Math.ceil(some.length / 2)
        await look(some.slice(0, middle))
        await look(some.slice(middle))
      }
    }
  }

  /**
   * A text that is no value of the column one level up (a bigint's beyond an integer) equals none of its values: it leads
   * nowhere. Where it is one, the fault is in a row that is looked at (a division by zero in `where`).
   */
  const alone = async ({ parts }: Link): Promise<Roots> => {
    try {
      await read(() => client.query(castSql(expansion), [...parts]))
      return 'unreadable'
    } catch (error) {
      if (isDataError(error)) return []
      throw error
    }
  }

  const readable: Link[] = []
  for (const link of links) {
    const parts = decodeKey(link, expansion.links.length)
    if (parts === null) roots.set(link, 'unreadable')
    else readable.push({ link, parts })
  }
  await look(readable)
  return { roots, servers: [...servers] }
}

interface Link {
  readonly link: string
  readonly parts: readonly (string | null)[]
}

type Row = [position: string, key: string]

function fold(links: readonly Link[], rows: readonly Row[], { mostOfEach, most }: Probe): Map<string, Roots> {
  const found = links.map((): string[] => [])
  for (const [position, key] of rows) found[Number(position) - 1]?.push(key)
  // Cut short: the last value's documents, and those of all after it, were not counted to the end.
  const cut = rows.length > most ? Number(rows.at(-1)?.[0]) - 1 : links.length
  return new Map(
    links.map(({ link }, n) => {
      const keys = found[n] ?? []
      return [link, n >= cut || keys.length > mostOfEach ? 'many' : keys]
    }),
  )
}
