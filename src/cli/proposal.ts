import { quotedTableText } from '../catalog/table-name.ts'
import type { Catalog, Table } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { fieldNames } from '../documents/fields.ts'
import { planDocument } from '../documents/plan.ts'
import { ConfigError } from '../errors.ts'

/** What `init` proposes. Pure: the catalog in, text out. */
export interface Proposal {
  readonly documents: readonly ProposedDocument[]
  readonly skipped: readonly SkippedTable[]
  /** What to know about all of it. */
  readonly notes?: readonly string[]
}

export interface ProposedDocument {
  readonly name: string
  readonly definition: DocumentDefinition
  /** What to know about it. */
  readonly notes: readonly string[]
}

export interface SkippedTable {
  readonly table: string
  readonly reason: string
}

/** Columns whose values do not belong in a search index. */
const secret = /passw|secret|token|api_?key|private_?key|credential/i

/** Bookkeeping of migration tools. */
const bookkeeping =
  /^(schema_migrations|ar_internal_metadata|knex_migrations(_lock)?|flyway_schema_history|_prisma_migrations|alembic_version|pgmigrations|django_migrations|databasechangelog(lock)?)$/

/** A document for each table that can be one, as planning itself judges it. */
export function propose(catalog: Catalog, schema: string): Proposal {
  const documents: ProposedDocument[] = []
  const skipped: SkippedTable[] = []
  const taken = new Set<string>()
  for (const table of catalog.tables) {
    // What a partition holds is in its parent's document.
    if (table.schema === schema || table.partitionOf !== null || table.kind === 'v') continue
    const name = nameFor(table, taken)
    const proposed = proposeOne(name, table, catalog, schema)
    if ('reason' in proposed) skipped.push(proposed)
    else {
      documents.push(proposed)
      taken.add(name)
    }
  }
  return { documents, skipped }
}

function proposeOne(
  name: string,
  table: Table,
  catalog: Catalog,
  schema: string,
): ProposedDocument | SkippedTable {
  const text = quotedTableText(table)
  if (bookkeeping.test(table.name)) return { table: text, reason: "a migration tool's own table" }
  const left = columnsLeftOut(table)
  const secretKey = table.primaryKey.find((column) => secret.test(column))
  if (secretKey !== undefined) {
    return { table: text, reason: `its key, ${secretKey}, looks like a secret, and would be the _id` }
  }
  const named = { table: text, index: name }
  const omitted = left.size === 0 ? {} : { omit: [...left.keys()] }
  const notes = [...left].map(([column, why]) => `${column} is left out: ${why}`)
  const proposal = tryToPlan(name, { ...named, ...omitted }, notes, catalog, schema)
  if (!(proposal instanceof ConfigError)) return proposal
  // What stands in the way of the primary key, or the lack of one, need not be in the way of another.
  for (const id of otherKeys(table)) {
    const note = `${table.primaryKey.length === 0 ? 'without a primary key' : 'its primary key cannot be the id'}: ${id.join(', ')} is unique, too`
    const other = tryToPlan(name, { ...named, id, ...omitted }, [note, ...notes], catalog, schema)
    if (!(other instanceof ConfigError)) return other
  }
  return { table: text, reason: reasonOf(proposal) }
}

/** The document as planning accepts it, or why it does not. */
function tryToPlan(
  name: string,
  definition: DocumentDefinition,
  notes: readonly string[],
  catalog: Catalog,
  schema: string,
): ProposedDocument | ConfigError {
  try {
    const plan = planDocument({ name, definition, catalog, snippets: new Map(), schema })
    return { name, definition, notes: [...notes, ...plan.warnings] }
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

/** Unique columns that may be shown, the fewest first: they make the shortest `_id`. */
function otherKeys({ primaryKey, uniqueKeys }: Table): readonly (readonly string[])[] {
  const isPrimary = (key: readonly string[]) => key.join() === primaryKey.join()
  return uniqueKeys
    .filter((key) => !isPrimary(key) && !key.some((column) => secret.test(column)))
    .toSorted((a, b) => a.length - b.length)
}

/** Columns that go into no document, and why: one of them would keep out the whole table. */
function columnsLeftOut({ columns }: Table): ReadonlyMap<string, string> {
  const names = new Set(columns.map((column) => column.name))
  const left = new Map<string, string>()
  for (const name of names) {
    const why = secret.test(name) ? 'its name looks like a secret' : whyNoField(name, names)
    if (why !== null) left.set(name, why)
  }
  return left
}

const rename = 'give it another with "fields"'

/** Why Elasticsearch takes no field of that name beside the others, or null. */
function whyNoField(name: string, names: ReadonlySet<string>): string | null {
  try {
    const path = fieldNames(name, '', true)
    // `size.width` is the field width of the object size, which cannot be a value as well.
    const parent = path.map((_, n) => path.slice(0, n).join('.')).find((outer) => names.has(outer))
    return parent === undefined ? null : `${parent} is a column too, and cannot hold it; ${rename}`
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return `${error.message}; ${rename}`
  }
}

/** Without the path: there is no such document. */
function reasonOf({ message, where, remedy }: ConfigError): string {
  const what =
    where !== undefined && message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message
  return remedy === undefined ? what : `${what}. ${remedy.replace(/\.$/, '')}`
}

/** The table's name as a document name; the schema before it, or a number after it, where it is taken. */
function nameFor(table: Table, taken: ReadonlySet<string>): string {
  const candidates = [table.name, `${table.schema}_${table.name}`].map(documentName)
  const free = candidates.find((name) => !taken.has(name))
  if (free !== undefined) return free
  for (let n = 2; ; n++) {
    const name = `${documentName(table.name).slice(0, 36)}_${n}`
    if (!taken.has(name)) return name
  }
}

export function documentName(text: string): string {
  const name = text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_|_$/g, '')
  return (/^[a-z]/.test(name) ? name : `t_${name}`).slice(0, 40)
}
