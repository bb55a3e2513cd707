import { captureStatements } from '../../src/capture/statements.ts'
import type { DocumentPlan, SourcePlan } from '../../src/documents/types.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

/** A database with our schema, and marks to look at. The schema has an awkward name, to see that it is quoted. */
export interface CaptureWorld extends TestDatabase {
  readonly schema: string
  /** Creates what captures the changes of a table: a hand-written plan, so that only capture is tested. */
  capture(document: string, source: SourceSketch): Promise<void>
  /** Takes all marks out of the queue: `insert 1,2`, `lane 1 update 500 keys` or, of a related table, `delete reviews 7`. */
  takeMarks(): Promise<string[]>
  /** Runs SQL and takes the marks it left, in order. */
  marksOf(sql: string): Promise<string[]>
}

export interface SourceSketch {
  readonly table: string
  readonly key: readonly [name: string, type: string][]
  /** Columns used; given, an UPDATE of others writes no mark. */
  readonly used?: readonly string[]
  readonly capture?: 'statement' | 'row'
  /** Relation path, for a related table; default: the root table. */
  readonly source?: string
  /** What tells rows of a related table apart; default: the column `id`. */
  readonly rowKey?: readonly [name: string, type: string][]
  readonly always?: boolean
  readonly leaves?: readonly string[]
}

export async function captureWorld(schema = 'Sluice "odd"'.replaceAll('"', '')): Promise<CaptureWorld> {
  const database = await testDatabase()
  await migrate(database.url, schema)
  const takeMarks = async (): Promise<string[]> => {
    const { rows } = await database.pool.query<{
      lane: number
      op: string
      source: string
      keys: string[] | null
    }>(
      `WITH taken AS (DELETE FROM "${schema}".sync_queue RETURNING *) SELECT lane, op, source, keys FROM taken ORDER BY id`,
    )
    return rows.map(({ lane, op, source, keys }) => {
      const what =
        keys === null ? 'everything' : keys.length > 10 ? `${keys.length} keys` : [...keys].sort().join(',')
      return `${lane === 0 ? '' : `lane ${lane} `}${op} ${source && `${source} `}${what}`
    })
  }
  return {
    ...database,
    schema,
    capture: async (document, sketch) => {
      const source = sourceOf(sketch)
      const { functions, triggers } = captureStatements(planOf(document, source), source, schema)
      for (const { sql } of [...functions, ...triggers]) await database.pool.query(sql)
    },
    takeMarks,
    marksOf: async (sql) => {
      await database.pool.query(sql)
      return takeMarks()
    },
  }
}

function sourceOf(sketch: SourceSketch): SourcePlan {
  const ofRelated = sketch.rowKey ?? [['id', 'pg_catalog.int4'] as const]
  const rowKey = sketch.source === undefined ? sketch.key : ofRelated
  return {
    source: sketch.source ?? '',
    table: tableName(sketch.table),
    key: sketch.key.map(([name, type]) => ({ name, type })),
    rowKey: rowKey.map(([name, type]) => ({ name, type })),
    expansion: null,
    usedColumns: sketch.used ?? [],
    compare: sketch.used !== undefined,
    capture: sketch.capture ?? 'statement',
    always: sketch.always ?? false,
    leaves: (sketch.leaves ?? []).map(tableName),
  }
}

function planOf(document: string, source: SourcePlan): DocumentPlan {
  return {
    document,
    table: source.table,
    key: source.key,
    walkOrder: source.key.map((_, n) => n),
    idParts: source.key.length,
    address: { tenant: null, routing: null },
    view: `document_${document}`,
    viewSql: '',
    loadSql: '',
    index: document,
    mappings: {},
    settings: {},
    pipeline: null,
    transform: false,
    sources: [source],
    missingIndexes: [],
    columns: { used: source.usedColumns, omitted: [] },
    warnings: [],
  }
}

function tableName(text: string) {
  const [schema = 'public', name = ''] = text.split('.')
  return { schema, name }
}
