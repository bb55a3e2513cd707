import { quoteIdentifier, quoteLiteral, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import type { DocumentPlan, QueryFunction } from '../documents/types.ts'
import type { Changes } from './changes.ts'
import type { Inventory } from './inventory.ts'
import { fingerprint, objectComment } from './names.ts'

interface WantedView {
  readonly document: string
  readonly name: string
  readonly sql: string
  /** What it may read, pg_class.oid: another table has taken the name of one that it reads. */
  readonly relations: ReadonlySet<number>
}

/** The view that computes the documents, and those that find them from a related table. */
export function viewsOf(plan: DocumentPlan, oidOf: (table: TableName) => number): WantedView[] {
  const relations = new Set([plan, ...plan.sources].map(({ table }) => oidOf(table)))
  const expansions = plan.sources.flatMap(({ expansion }) => (expansion === null ? [] : [expansion]))
  return [plan, ...expansions].map(({ view, viewSql }) => ({
    document: plan.document,
    name: view,
    sql: viewSql,
    relations,
  }))
}

/** Dropped and created: CREATE OR REPLACE VIEW refuses other types. The daemon's next load waits for the commit. */
export function compareView(
  changes: Changes,
  view: WantedView,
  schema: string,
  inventory: Inventory,
  moved: boolean,
): unknown {
  const present = inventory.views.find(({ name }) => name === view.name)
  if (
    !moved &&
    present?.document === view.document &&
    present.fingerprint === fingerprint(view.sql) &&
    present.relations.every((relation) => view.relations.has(relation))
  ) {
    return present
  }
  const name = quoteTable({ schema, name: view.name })
  changes.step(present ? 'change' : 'create', `view ${view.name}`)
  changes.views.push(
    `DROP VIEW IF EXISTS ${name}`,
    view.sql,
    `COMMENT ON VIEW ${name} IS ${quoteLiteral(objectComment(view.document, view.sql))}`,
  )
  return present
}

/** As with the view: the daemon's next load waits for the commit. */
export function compareQuery(
  changes: Changes,
  { document }: DocumentPlan,
  query: QueryFunction,
  schema: string,
  oidOf: (table: TableName) => number,
  inventory: Inventory,
): unknown {
  const present = inventory.functions.find(({ name }) => name === query.name)
  const reads = present?.relations ?? []
  if (
    present?.document === document &&
    present.fingerprint === fingerprint(query.sql) &&
    query.names.every((table) => reads.includes(oidOf(table)))
  ) {
    return present
  }
  const qualified = `${quoteIdentifier(schema)}.${query.signature}`
  changes.step(present ? 'change' : 'create', `function ${query.name}`)
  changes.views.push(
    `DROP FUNCTION IF EXISTS ${present?.signature ?? qualified}`,
    query.sql,
    `REVOKE ALL ON FUNCTION ${qualified} FROM PUBLIC`,
    `COMMENT ON FUNCTION ${qualified} IS ${quoteLiteral(objectComment(document, query.sql))}`,
  )
  return present
}
