import { tableText } from '../catalog/table-name.ts'
import type { Queryable } from '../postgres/types.ts'
import { relationsOf, type Snapshot, type WatchedDocument } from './watched.ts'

/** A table of a document that a migration changes, or whose rows it does. */
export interface Touch {
  readonly document: string
  /** As it was called before. */
  readonly table: string
  /** The strongest lock that it takes: `ROW EXCLUSIVE` for rows alone, up to `ACCESS EXCLUSIVE`, behind which all wait. */
  readonly lock: string
  /** Our triggers for the document there. */
  readonly triggers: readonly string[]
}

/** pg_class.oid → modes held. */
export type Locks = ReadonlyMap<number, ReadonlySet<string>>

/** Table locks that stand for a change, by their strength; readers take others. */
const MODES = [
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
]

/** Tables that hold a trigger of a document: its own, and the leaves of a partitioned one. */
function tablesOf({ name, tables }: WatchedDocument, { inventory }: Snapshot): ReadonlySet<number> {
  const withTriggers = inventory.triggers.filter(({ document }) => document === name)
  return new Set([...tables, ...withTriggers].map(({ relation }) => relation))
}

/** Locks that this transaction holds on what the documents stand on. */
export async function readLocks(
  db: Queryable,
  watched: readonly WatchedDocument[],
  before: Snapshot,
): Promise<Locks> {
  const relations = [...relationsOf(watched), ...before.inventory.triggers.map(({ relation }) => relation)]
  const { rows } = await db.query<{ relation: number; modes: string[] }>(
    `SELECT relation, array_agg(mode) AS modes FROM pg_locks
      WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
        AND relation = ANY ($1::oid[]) AND mode = ANY ($2::text[])
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      GROUP BY relation`,
    [relations, MODES],
  )
  return new Map(rows.map(({ relation, modes }) => [relation, new Set(modes)]))
}

/** What was touched between two moments of the transaction. A statement that was taken back alone has left no lock. */
export function touchesOf(
  watched: readonly WatchedDocument[],
  before: Snapshot,
  held: Locks,
  now: Locks,
): readonly Touch[] {
  return watched.flatMap((document) =>
    [...tablesOf(document, before)].flatMap((relation): Touch[] => {
      const mode = MODES.findLast(
        (one) => now.get(relation)?.has(one) === true && held.get(relation)?.has(one) !== true,
      )
      const table = before.catalog.tables.find(({ oid }) => oid === relation)
      if (mode === undefined || table === undefined) return []
      const triggers = before.inventory.triggers
        .filter((trigger) => trigger.document === document.name && trigger.relation === relation)
        .map(({ name }) => name)
      return [
        { document: document.name, table: tableText(table), lock: lockName(mode), triggers: triggers.sort() },
      ]
    }),
  )
}

/** `AccessExclusiveLock` is ACCESS EXCLUSIVE in SQL. */
function lockName(mode: string): string {
  return mode
    .replace(/Lock$/, '')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase()
}
