import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import type { SourcePlan } from '../documents/types.ts'
import type { CaptureEvent, captureNames } from './names.ts'

/** A trigger that `install` creates on a watched table or one of its leaves. */
export interface CaptureTrigger {
  /** Unquoted. */
  readonly name: string
  readonly table: TableName
  /** Name of the function it calls, unquoted. */
  readonly function: string
  /** pg_trigger.tgtype: what it fires on, and whether for each row. */
  readonly type: number
  readonly oldRows: boolean
  readonly newRows: boolean
  /** It fires for rows that logical replication brings, too. */
  readonly always: boolean
  /** One statement, or two. */
  readonly sql: string
}

/** Names of the transition tables: nothing of the user's is called so inside our functions. */
export const OLD_ROWS = 'old_rows'
export const NEW_ROWS = 'new_rows'

/** Bits of pg_trigger.tgtype; AFTER and FOR EACH STATEMENT are the absence of a bit. */
const TYPE_BITS = { row: 1, insert: 4, delete: 8, update: 16, truncate: 32 } as const

/**
 * CREATE OR REPLACE sets a trigger back to firing in ordinary sessions alone. What applies a subscription's rows is
 * none, and fires row-level triggers and those of TRUNCATE, if they are ALWAYS enabled; on a partitioned table that is
 * handed down to the copies on its partitions.
 */
export function trigger(
  schema: string,
  names: ReturnType<typeof captureNames>,
  event: CaptureEvent,
  table: TableName,
  { capture, always }: Pick<SourcePlan, 'capture' | 'always'>,
): CaptureTrigger {
  const eachRow = capture === 'row' && event !== 'truncate'
  const oldRows = !eachRow && (event === 'update' || event === 'delete')
  const newRows = !eachRow && (event === 'update' || event === 'insert')
  const transitions = [
    ...(oldRows ? [`OLD TABLE AS ${OLD_ROWS}`] : []),
    ...(newRows ? [`NEW TABLE AS ${NEW_ROWS}`] : []),
  ]
  const name = names.trigger(event)
  const create = [
    `CREATE OR REPLACE TRIGGER ${quoteIdentifier(name)} AFTER ${event.toUpperCase()} ON ${quoteTable(table)}`,
    ...(transitions.length > 0 ? [`REFERENCING ${transitions.join(' ')}`] : []),
    `FOR EACH ${eachRow ? 'ROW' : 'STATEMENT'} EXECUTE FUNCTION ${quoteTable({ schema, name: names.function(event) })}()`,
  ].join(' ')
  const type = TYPE_BITS[event] | (eachRow ? TYPE_BITS.row : 0)
  const enable = `ALTER TABLE ${quoteTable(table)} ENABLE ALWAYS TRIGGER ${quoteIdentifier(name)}`
  const sql = always ? `${create};\n${enable}` : create
  return { name, table, function: names.function(event), type, oldRows, newRows, always, sql }
}
