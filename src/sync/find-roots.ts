import { decodeKey } from '../documents/keys.ts'
import type { ExpansionPlan } from '../documents/types.ts'
import { isCancelled, isDataError } from '../postgres/read-transaction.ts'
import type { RootRow, WorkSession } from './batch-store.ts'

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
  readonly expansion: ExpansionPlan
  /** Distinct link values, in the order of their marks. */
  readonly links: readonly string[]
  /** Documents that one value may lead to without becoming `many`. */
  readonly mostOfEach: number
  /** Documents that may be found in all; the values after them are `many`. */
  readonly most: number
  /** When all looks together have taken too long, by `now`. */
  readonly until: number
  /** Monotonic clock, milliseconds. */
  readonly now: () => number
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
export async function findRoots(
  work: Pick<WorkSession, 'readRoots' | 'castLink'>,
  probe: Probe,
): Promise<FoundRoots> {
  const { expansion, links, mostOfEach, most, until, now } = probe
  const roots = new Map<string, Roots>()
  const servers = new Set<string>()

  const look = async (some: readonly Link[]): Promise<void> => {
    if (some.length === 0) return
    try {
      const { rows, server } = await work.readRoots(
        expansion,
        some.map(({ parts }) => parts),
        { ofEach: mostOfEach + 1, inAll: most + 1, timeoutMs: until - now() },
      )
      servers.add(server)
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
      servers.add((await work.castLink(expansion, parts, until - now())).server)
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

function fold(
  links: readonly Link[],
  rows: readonly RootRow[],
  { mostOfEach, most }: Probe,
): Map<string, Roots> {
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
