import type { ClientBase } from 'pg'
import { ConfigError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { readNodeTree } from './node-tree.ts'
import { hint, isAboutSnippet, messageOf, runOne } from './parse-snippet.ts'
import { readQueryClosure } from './query-reads.ts'
import { judgeQuery } from './query-rules.ts'
import { readQueryTree, readStatements } from './query-tree.ts'
import { resolveTypes } from './resolve-types.ts'
import { inSnippetTransaction } from './snippet-transaction.ts'
import type { ParsedQuery, QueryColumn } from './types.ts'

export interface QueryText {
  readonly sql: string
  /** SQL types of $1, $2 …: `pg_catalog.int8[]`. */
  readonly parameters: readonly string[]
  /** pg_class.oid of the table or view that the ids come from. */
  readonly root: number
  /** Config path, for messages. */
  readonly where: string
}

/**
 * Lets Postgres itself parse a query, as the body of a temporary function that is rolled back, and says what it reads
 * and returns. Nothing is run but the query with a LIMIT of 0, which can only be read from. Works within a transaction
 * of the caller's or without one; changes nothing either way.
 *
 * @throws ConfigError where Postgres refuses it, or where it depends on more than stored rows
 */
export async function parseQuery(client: ClientBase, query: QueryText): Promise<ParsedQuery> {
  return inSnippetTransaction(client, async () => {
    const { sql, where } = query
    const within = await parsedBody(client, 'sluice_query', ['SELECT * FROM (\n', sql, '\n) AS q'], query)
    const alone = await parsedBody(client, 'sluice_query_alone', ['', sql, '\n'], query)
    refuseStatements(alone.tree, where)
    refuseParameters(within.tree, query)
    if (readNodeTree(within.tree).attributes.some((attribute) => attribute < 0)) {
      throw new ConfigError('the query reads a system column', {
        where,
        remedy: 'Use columns of your own: ctid, xmin and tableoid change without a change of the row.',
      })
    }
    const closure = await readQueryClosure(client, within, query.root)
    const findings = judgeQuery(closure, where)
    const columns = await columnsOf(client, query)
    return { sql, columns, names: closure.names, reads: closure.reads, ...findings }
  })
}

interface Body {
  readonly oid: number
  readonly tree: string
}

/**
 * The query within another, as the document's function will hold it, and alone. What closes the bracket of the one
 * (`SELECT 1) AS q; DELETE …; SELECT * FROM (SELECT 2`) is a syntax error in the other, so that what passes both
 * is one query. In a FROM nothing can write, and the parameters have no names that a column could be mistaken for.
 */
async function parsedBody(
  client: ClientBase,
  name: string,
  [before, sql, after]: readonly [string, string, string],
  { parameters, where }: QueryText,
): Promise<Body> {
  const head = `CREATE FUNCTION pg_temp.${name}(${parameters.join(', ')}) RETURNS SETOF record LANGUAGE sql STABLE BEGIN ATOMIC\n${before}`
  try {
    await runOne(client, `${head}${sql}${after};\nEND`)
  } catch (error) {
    throw explained(error, { sql, before: head.length, where })
  }
  const { rows } = await client.query<Body>(
    `SELECT p.oid, p.prosqlbody::text AS tree FROM pg_catalog.pg_proc p
      WHERE p.pronamespace = pg_catalog.pg_my_temp_schema() AND p.proname = $1`,
    [name],
  )
  const [body] = rows
  if (body === undefined) throw new Error(`pg_temp.${name} was created and is not there`)
  return body
}

function refuseStatements(tree: string, where: string): void {
  const [only, ...more] = readStatements(tree)
  if (only === undefined || more.length > 0 || !only.isSelect) {
    throw new ConfigError('it is not one SELECT', { where, remedy: oneSelect })
  }
  if (only.cutsRows) {
    throw new ConfigError('LIMIT, OFFSET and FETCH cut off documents: the query gets many ids at once', {
      where,
      remedy: 'Cut off within one document: a LATERAL sub-select, or row_number() OVER (PARTITION BY id …).',
    })
  }
  if (only.locksRows) {
    throw new ConfigError('FOR UPDATE and FOR SHARE lock rows, and a document is only read', {
      where,
      remedy: 'Leave the clause out.',
    })
  }
}

const oneSelect =
  'Write a single SELECT without a semicolon at its end; it may begin with WITH, and cannot write.'

function refuseParameters(tree: string, { parameters, where }: QueryText): void {
  const used = readQueryTree(tree).parameters
  const unused = parameters.findIndex((_, n) => !used.includes(n + 1))
  if (unused < 0) return
  throw new ConfigError(`it does not use $${unused + 1}: each load would compute every document there is`, {
    where,
    remedy: `It is an array of ids, ${parameters[unused]?.replace('pg_catalog.', '')}: WHERE … = ANY($${unused + 1}).`,
  })
}

/** The shape of the rows, from a prepared statement: only those have parameters whose types can be stated. */
async function columnsOf(client: ClientBase, { sql, parameters, where }: QueryText): Promise<QueryColumn[]> {
  const head = `PREPARE sluice_query (${parameters.join(', ')}) AS SELECT * FROM (\n`
  // What runs must not write, and must not read less than there is (invariant 12). Both end with our transaction.
  await client.query('SET LOCAL row_security = off; SET LOCAL transaction_read_only = on')
  try {
    await client.query(`${head}${sql}\n) AS q LIMIT 0`)
  } catch (error) {
    throw explained(error, { sql, before: head.length, where })
  }
  // Outlives a rollback: it is taken away whatever happens.
  await client.query('SAVEPOINT sluice_query')
  try {
    const { fields } = await client.query(`EXECUTE sluice_query (${parameters.map(() => "'{}'").join(', ')})`)
    return await typed(client, fields, where)
  } catch (error) {
    await client.query('ROLLBACK TO SAVEPOINT sluice_query')
    throw error instanceof ConfigError ? error : explained(error, { sql, before: 0, where })
  } finally {
    await client.query('DEALLOCATE sluice_query')
  }
}

interface Field {
  readonly name: string
  readonly dataTypeID: number
  readonly dataTypeModifier: number
}

async function typed(client: ClientBase, fields: readonly Field[], where: string): Promise<QueryColumn[]> {
  const types = await resolveTypes(
    client,
    fields.map(({ dataTypeID }) => dataTypeID),
  )
  const { rows } = await client.query<{ type: string }>(
    `SELECT pg_catalog.format_type(t.oid, t.modifier) AS type
       FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS t (oid, modifier, n) ORDER BY t.n`,
    [fields.map(({ dataTypeID }) => dataTypeID), fields.map(({ dataTypeModifier }) => dataTypeModifier)],
  )
  return fields.map(({ name, dataTypeID }, n) => {
    const baseType = types.get(dataTypeID)
    const type = rows[n]?.type ?? ''
    if (name === '?column?')
      throw new ConfigError(`column ${n + 1} of the query has no name`, { where, remedy: 'Add: AS name.' })
    if (fields.findIndex((field) => field.name === name) < n) {
      throw new ConfigError(`the query returns ${JSON.stringify(name)} twice`, {
        where,
        remedy: 'Give one of the two another name with AS, or leave it out.',
      })
    }
    if (baseType === undefined || baseType.kind === 'pseudo') {
      throw new ConfigError(`${JSON.stringify(name)} is ${type}, which no field can hold`, {
        where,
        remedy: 'Cast it, or make JSON of it: json_build_object(…).',
      })
    }
    return { name, type, baseType }
  })
}

interface Place {
  readonly sql: string
  /** Length of what stands before the query in the statement that failed. */
  readonly before: number
  readonly where: string
}

/** Postgres's refusal as a ConfigError that names the line; anything that is not about the query as it is. */
function explained(error: unknown, { sql, before, where }: Place): unknown {
  if (sqlState(error) === '42501') {
    return new ConfigError(`Postgres does not let this role run the query: ${messageOf(error)}`, {
      where,
      remedy:
        'The role that installs needs TEMPORARY on the database, and SELECT on all that the query reads; with row-level security it must own that or have BYPASSRLS.',
      cause: error,
    })
  }
  const writes = sqlState(error) === '25006'
  if (!isAboutSnippet(error) && !writes) return error
  const line = lineOf(error, sql, before)
  const at = line === null ? '' : ` (line ${line})`
  return new ConfigError(`Postgres refuses the query${at}: ${messageOf(error)}`, {
    where,
    remedy: sqlState(error) === '42601' || writes ? oneSelect : (hint(error) ?? 'Correct the query.'),
    cause: error,
  })
}

function lineOf(error: unknown, sql: string, before: number): number | null {
  if (!(error instanceof Error) || !('position' in error)) return null
  const position = Number(error.position) - before
  if (!(position > 0 && position <= sql.length)) return null
  return sql.slice(0, position).split('\n').length
}
