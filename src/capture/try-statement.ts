import pg from 'pg'
import { FailedError, UsageError } from '../errors.ts'
import { isConnectionError } from '../postgres/connect.ts'
import type { Finding } from './findings.ts'
import { partsUsing } from './parts-using.ts'
import type { SqlStatement } from './split-sql.ts'
import {
  readColumns,
  relationsOf,
  type Snapshot,
  type WatchedDocument,
  type WatchedTable,
} from './watched.ts'

export interface Trial {
  readonly file: string
  readonly statement: SqlStatement
  readonly watched: readonly WatchedDocument[]
  readonly before: Snapshot
}

/**
 * Runs one statement of a migration. One that Postgres refuses for something of ours is a finding, is undone alone, and
 * the next one is tried; any other error is the migration's own, and ends it. No findings: it passed.
 */
export async function tryStatement(client: pg.PoolClient, trial: Trial): Promise<readonly Finding[]> {
  const { file, statement } = trial
  const where = `${file}:${statement.line}`
  await client.query('SAVEPOINT sluice_check')
  try {
    await client.query(statement.sql)
    await client.query('RELEASE SAVEPOINT sluice_check')
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || isConnectionError(error)) throw error
    if (!REFUSALS.has(error.code ?? '')) throw failure(error, where)
    await client.query('ROLLBACK TO SAVEPOINT sluice_check; RELEASE SAVEPOINT sluice_check')
    const findings = refusedFor(error, where, trial, await columnFinder(client, trial))
    if (findings.length === 0) throw failure(error, where)
    return findings
  }
  return switchesTriggersOff(statement) ? [unnoticed(where)] : []
}

/** 2BP01: other objects depend on it. 0A000: a view or function uses the column whose type should change. */
const REFUSALS = new Set(['2BP01', '0A000'])

/** The documents whose objects Postgres names. It names them in the detail, whatever language its messages are in. */
function refusedFor(
  error: pg.DatabaseError,
  where: string,
  { watched, before }: Trial,
  find: ColumnFinder,
): Finding[] {
  const { code, message, detail = '' } = error
  const { views, functions, triggers } = before.inventory
  const column = columnIn(`${message}\n${detail}`)
  return watched.flatMap((document): Finding[] => {
    const own = [...views, ...functions, ...triggers].filter((object) => object.document === document.name)
    const named = [...new Set(own.map(({ name }) => name).filter((name) => mentions(detail, name)))]
    if (named.length === 0) return []
    const changing = code === '0A000'
    return [
      {
        effect: 'breaks',
        kind: 'refused',
        document: document.name,
        fields:
          column === null
            ? []
            : [
                ...new Set(
                  find(document, column).flatMap(({ parts, name }) => partsUsing(document, parts, name)),
                ),
              ],
        where,
        what: `Postgres refuses it for ${named.join(', ')}: ${message}`,
        remedy: changing
          ? `Run it between sluice detach ${document.name} and sluice install; searches go on meanwhile, with what is indexed.`
          : `Take it out of the configuration and run sluice install first; or run it between sluice detach ${document.name} and sluice install.`,
      },
    ]
  })
}

/** The watched tables that have a column, and what it was called when the document was installed. */
type ColumnFinder = (
  document: WatchedDocument,
  column: NamedColumn,
) => readonly { readonly parts: WatchedTable['parts']; readonly name: string }[]

/** An earlier statement may have renamed it. */
async function columnFinder(client: pg.PoolClient, { watched, before }: Trial): Promise<ColumnFinder> {
  const columns = await readColumns(client, watched)
  const { rows } = await client.query<{ oid: number; name: string }>(
    'SELECT oid, oid::regclass::text AS name FROM pg_class WHERE oid = ANY ($1::oid[])',
    [relationsOf(watched)],
  )
  const tables = new Map(rows.map(({ oid, name }) => [oid, name]))
  return ({ tables: own }, { column, table }) =>
    own.flatMap(({ relation, parts }) => {
      if (table !== null && tables.get(relation) !== table) return []
      const [number] = [...(columns.get(relation) ?? [])].find(([, { name }]) => name === column) ?? []
      const former = number === undefined ? undefined : before.columns.get(relation)?.get(number)?.name
      return former === undefined ? [] : [{ parts, name: former }]
    })
}

function mentions(text: string, name: string): boolean {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<![\\p{L}\\p{N}_$])${escaped}(?![\\p{L}\\p{N}_$])`, 'u').test(text)
}

interface NamedColumn {
  readonly column: string
  /** As Postgres prints it, quoted where it has to be; null where it says none. */
  readonly table: string | null
}

/** `column name of table geo.city`; null in another language, where the fields stay untold. */
function columnIn(text: string): NamedColumn | null {
  const [, quoted, plain, table = null] =
    /\bcolumn (?:"((?:[^"]|"")+)"|([^\s"]+))(?: of table ((?:"(?:[^"]|"")+"|[^\s"])+)|$)/m.exec(text) ?? []
  if (quoted !== undefined) return { column: quoted.replaceAll('""', '"'), table }
  return plain === undefined || plain === 'used' ? null : { column: plain, table }
}

function failure(error: pg.DatabaseError, where: string): Error {
  if (error.code === '55P03') return error
  const details = { where, cause: error }
  switch (error.code) {
    case '25001':
      return new UsageError(`${error.message}, and check needs one to take it back`, {
        ...details,
        remedy: 'Check the other statements; this one alone is left to you.',
      })
    default: {
      const hint = error.detail === undefined ? '' : ` (${error.detail})`
      return new FailedError(`it fails by itself: ${error.message}${hint}`, {
        ...details,
        remedy: 'Check on a database that has all migrations before this one.',
      })
    }
  }
}

/** Also by set_config(), in a DO block, or for the sessions of a role or database. */
function switchesTriggersOff({ sql, words: [first = ''] }: SqlStatement): boolean {
  return (
    ['SET', 'ALTER', 'SELECT', 'DO'].includes(first) &&
    /\bsession_replication_role\W+(?:TO\W+)?replica\b/i.test(sql)
  )
}

function unnoticed(where: string): Finding {
  return {
    effect: 'breaks',
    kind: 'capture',
    document: null,
    fields: [],
    where,
    what: 'it switches triggers off: what is changed from there on is not noticed',
    remedy: 'Leave it out; or run sluice backfill for the documents whose rows it changes.',
  }
}
