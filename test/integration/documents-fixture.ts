import type pg from 'pg'
import { planDocuments } from '../../src/capture/plan-documents.ts'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { decodeKey } from '../../src/documents/keys.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'

/** Not the default, and in need of quotes, so that a forgotten qualification shows. */
export const SCHEMA = 'Sluice "documents"'

/** Compiles a definition as install does: catalog, snippets, plan. */
export async function planIn(
  pool: pg.Pool,
  definition: Omit<DocumentDefinition, 'index'>,
  name = 'thing',
): Promise<DocumentPlan> {
  const complete: DocumentDefinition = { index: name, ...definition }
  const catalog = await readCatalog(pool)
  const client = await pool.connect()
  try {
    const [plan] = await planDocuments(client, SCHEMA, catalog, new Map([[name, complete]]))
    if (plan === undefined) throw new Error('nothing was planned')
    // As the daemon gets it: out of a jsonb column.
    return JSON.parse(JSON.stringify(plan))
  } finally {
    client.release()
  }
}

/** Plans, and creates the view in place of an older one. */
export async function installView(
  pool: pg.Pool,
  definition: Omit<DocumentDefinition, 'index'>,
  name = 'thing',
): Promise<DocumentPlan> {
  const plan = await planIn(pool, definition, name)
  const schema = `"${SCHEMA.replaceAll('"', '""')}"`
  await pool.query(`CREATE SCHEMA IF NOT EXISTS ${schema}; DROP VIEW IF EXISTS ${schema}."${plan.view}"`)
  await pool.query(plan.viewSql)
  return plan
}

export interface Loaded {
  readonly n: number
  readonly key: string
  readonly document: string
  readonly problem: string | null
}

/** Runs the plan's load query on any client. */
export async function load(
  db: pg.Pool | pg.ClientBase,
  plan: DocumentPlan,
  keys: readonly string[],
): Promise<Loaded[]> {
  const parts = keys.map((key) => decodeKey(key, plan.key.length))
  const values = plan.key.map((_, n) => parts.map((part) => part?.[n] ?? null))
  const { rows } = await db.query<{ n: string; key: string; document: string; problem: string | null }>(
    plan.loadSql,
    values,
  )
  return rows.map((row) => ({ ...row, n: Number(row.n) })).toSorted((a, b) => a.n - b.n)
}

/** The view's rows, keys in order. */
export async function readView(
  db: pg.Pool | pg.ClientBase,
  plan: DocumentPlan,
): Promise<Omit<Loaded, 'n'>[]> {
  const { rows } = await db.query<Omit<Loaded, 'n'>>(
    `SELECT key, document, problem FROM "${SCHEMA.replaceAll('"', '""')}"."${plan.view}" ORDER BY key COLLATE "C"`,
  )
  return rows
}

/** The session settings most unlike ours; a view's text must not care. */
export const OTHER_SETTINGS = `
  SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard';
  SET bytea_output = 'escape'; SET search_path = ''`
