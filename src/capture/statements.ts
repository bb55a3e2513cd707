import { quoteIdentifier, quoteLiteral, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import { keyExpression } from '../documents/key-sql.ts'
import type { DocumentPlan, KeyColumn, SourcePlan } from '../documents/types.ts'
import {
  type MarkTarget,
  rowBody,
  SAMPLE,
  statementBody,
  truncateBody,
  updateBody,
} from './function-bodies.ts'
import { type CaptureEvent, captureNames, fingerprint, objectComment } from './names.ts'

/** A function that `install` creates in our schema. */
export interface CaptureFunction {
  /** Unquoted. */
  readonly name: string
  /** Quoted, with argument types, without the schema: `key_city(geo.city)`. */
  readonly signature: string
  readonly sql: string
  readonly fingerprint: string
}

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
  readonly sql: string
}

/** All that is created for one watched table. */
export interface CaptureStatements {
  /** In the order of creation. */
  readonly functions: readonly CaptureFunction[]
  readonly triggers: readonly CaptureTrigger[]
}

/** Names of the transition tables: nothing of the user's is called so inside our functions. */
export const OLD_ROWS = 'old_rows'
export const NEW_ROWS = 'new_rows'

/** SQL text of the functions and triggers that write the marks of one watched table. Pure. */
export function captureStatements(plan: DocumentPlan, source: SourcePlan, schema: string): CaptureStatements {
  const names = captureNames(schema, plan.document, source.source)
  const target: MarkTarget = { schema, document: plan.document, source: source.source }
  const call = (name: string, args: string) => `${quoteTable({ schema, name })}(${args})`
  const key = (row: string) => call(names.key, row)
  const changed = (before: string, after: string) =>
    source.compare ? call(names.changed, `${before}, ${after}`) : null
  const bodies =
    source.capture === 'statement' ? statementBodies(target, key, changed) : rowBodies(target, key, changed)

  const functions: CaptureFunction[] = [
    keyFunction(target, names.key, source.table, source.key),
    ...(source.compare ? [changedFunction(target, names.changed, source.table, source.usedColumns)] : []),
    ...EVENTS.map((event) => triggerFunction(target, names.function(event), bodies[event])),
  ]
  const triggers = [
    ...EVENTS.map((event) => trigger(schema, names, event, source.table, source.capture)),
    // TRUNCATE of a leaf does not fire the trigger of its parent.
    ...source.leaves.map((leaf) => trigger(schema, names, 'truncate', leaf, 'statement')),
  ]
  return { functions, triggers }
}

const EVENTS = ['insert', 'update', 'delete', 'truncate'] as const satisfies readonly CaptureEvent[]

type KeyOf = (row: string) => string
/** Null where every column is used: then an UPDATE changes the document. */
type ChangedOf = (before: string, after: string) => string | null

/**
 * A row is passed as `n.*`, for a bare `n` would mean a column of that name.
 *
 * UPDATE pairs old and new rows by key, so a row whose key changed is marked twice: under its old key, where a
 * document has to go, and its new one. FULL JOIN also forbids a nested loop, which the cached plan of a one-row
 * statement would otherwise be: a 10,000-row statement would then compare 10⁸ pairs. "C" because keys are compared
 * byte by byte, and faster so.
 *
 * Processor time on PG 18, 700-byte rows of 13 columns, of a single-row transaction and of a 1,000-row statement: no trigger
 * 15 µs, 5.7 ms; empty trigger 16 µs, 5.6 ms; keys alone 38 µs, 5.9 ms; with comparison 46 µs, 5.9 ms, where pairing all
 * rows takes 53 µs, 7.6 ms. Other ways to compare 1,000 rows: join of records that a function returns +5.8 ms; pairing by
 * row_number() +2.7; unnest of two arrays +7; grouping a UNION +11. Column by column instead of record images: the same.
 */
function statementBodies(target: MarkTarget, key: KeyOf, changed: ChangedOf): Record<CaptureEvent, string> {
  const before = `SELECT ${key('o.*')} FROM ${OLD_ROWS} AS o`
  const after = `SELECT ${key('n.*')} FROM ${NEW_ROWS} AS n`
  const sameKey = `${key('o.*')} COLLATE "C" = ${key('n.*')} COLLATE "C"`
  const condition = changed('o.*', 'n.*')
  const paired = [
    `SELECT coalesce(${key('n.*')}, ${key('o.*')})`,
    `FROM ${OLD_ROWS} AS o FULL JOIN ${NEW_ROWS} AS n ON ${sameKey}`,
    ...(condition === null ? [] : [`WHERE ${condition}`]),
  ].join(' ')
  const first = (rows: string) => `(SELECT * FROM ${rows} LIMIT ${SAMPLE})`
  const comparison =
    condition === null
      ? null
      : {
          any: `EXISTS (SELECT FROM ${OLD_ROWS} AS o CROSS JOIN ${NEW_ROWS} AS n WHERE ${condition})`,
          sample: `(SELECT count(*) FROM ${first(OLD_ROWS)} AS o JOIN ${first(NEW_ROWS)} AS n ON ${sameKey} WHERE ${condition})`,
        }
  return {
    insert: statementBody(target, 'insert', after),
    update: updateBody(target, { before, after, paired, comparison }),
    delete: statementBody(target, 'delete', before),
    truncate: truncateBody(target),
  }
}

function rowBodies(target: MarkTarget, key: KeyOf, changed: ChangedOf): Record<CaptureEvent, string> {
  const condition = changed('OLD', 'NEW')
  const updated = `    marked := ARRAY[${key('NEW')}];
    IF ${key('OLD')} <> marked[1] THEN
      marked := marked || ${key('OLD')};${
        condition
          ? `
    ELSIF NOT ${condition} THEN
      RETURN NULL;`
          : ''
      }
    END IF;`
  return {
    insert: rowBody(target, 'insert', `    marked := ARRAY[${key('NEW')}];`),
    update: rowBody(target, 'update', updated),
    delete: rowBody(target, 'delete', `    marked := ARRAY[${key('OLD')}];`),
    truncate: truncateBody(target),
  }
}

/**
 * Key tuple of a row, as text. Parsed when it is created: it follows a renamed column or table, and Postgres refuses
 * to drop what it uses, naming it (invariant 15). Inlined into the trigger's query, it costs nothing measurable.
 */
function keyFunction(
  target: MarkTarget,
  name: string,
  table: TableName,
  key: readonly KeyColumn[],
): CaptureFunction {
  const expression = keyExpression(key, '(r)')
  // Of no row (the missing side of a FULL JOIN) the key is null, also where it has several parts: an array of nulls is
  // not null. The parts of an id are never null.
  const [first] = key
  const ofRow =
    first === undefined || key.length === 1
      ? expression
      : `CASE WHEN (r).${quoteIdentifier(first.name)} IS NOT NULL THEN ${expression} END`
  return parsedFunction(target, name, [['r', table]], 'text', ofRow)
}

/**
 * Whether two rows differ in a column that the document uses. Images are compared byte by byte: unlike IS DISTINCT
 * FROM this cannot raise for json or point, and it sees 1.0 and 1.00, and what a collation calls equal. A boolean
 * function is inlined; one that returned the record of used columns would be called, 2 µs a row.
 */
function changedFunction(
  target: MarkTarget,
  name: string,
  table: TableName,
  columns: readonly string[],
): CaptureFunction {
  const image = (row: string) =>
    `ROW(${columns.map((column) => `(${row}).${quoteIdentifier(column)}`).join(', ')})`
  const args = [['o', table] as const, ['n', table] as const]
  return parsedFunction(
    target,
    name,
    args,
    'boolean',
    `pg_catalog.record_image_ne(${image('o')}, ${image('n')})`,
  )
}

function parsedFunction(
  target: MarkTarget,
  name: string,
  args: readonly (readonly [string, TableName])[],
  returns: string,
  expression: string,
): CaptureFunction {
  const declared = args.map(([arg, table]) => `${arg} ${quoteTable(table)}`).join(', ')
  const sql = `CREATE OR REPLACE FUNCTION ${quoteTable({ schema: target.schema, name })}(${declared}) RETURNS ${returns}
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT ${expression};
END`
  const types = args.map(([, table]) => quoteTable(table)).join(', ')
  return captureFunction(target, name, types, sql)
}

/**
 * SECURITY DEFINER: the application's roles need no grant on our schema. The pinned search_path has pg_temp last,
 * or else a temporary table named like one of ours would swallow the marks.
 */
function triggerFunction(target: MarkTarget, name: string, body: string): CaptureFunction {
  const sql = `CREATE OR REPLACE FUNCTION ${quoteTable({ schema: target.schema, name })}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $sluice$
${body}
$sluice$`
  return captureFunction(target, name, '', sql)
}

/** Only our own functions call them, as their owner; a trigger fires without a grant. */
function captureFunction(
  target: MarkTarget,
  name: string,
  argumentTypes: string,
  definition: string,
): CaptureFunction {
  const signature = `${quoteIdentifier(name)}(${argumentTypes})`
  const qualified = `${quoteIdentifier(target.schema)}.${signature}`
  const sql = [
    definition,
    `REVOKE ALL ON FUNCTION ${qualified} FROM PUBLIC`,
    `COMMENT ON FUNCTION ${qualified} IS ${quoteLiteral(objectComment(target.document, definition))}`,
  ].join(';\n')
  return { name, signature, sql, fingerprint: fingerprint(definition) }
}

/** Bits of pg_trigger.tgtype; AFTER and FOR EACH STATEMENT are the absence of a bit. */
const TYPE_BITS = { row: 1, insert: 4, delete: 8, update: 16, truncate: 32 } as const

function trigger(
  schema: string,
  names: ReturnType<typeof captureNames>,
  event: CaptureEvent,
  table: TableName,
  capture: 'statement' | 'row',
): CaptureTrigger {
  const eachRow = capture === 'row' && event !== 'truncate'
  const oldRows = !eachRow && (event === 'update' || event === 'delete')
  const newRows = !eachRow && (event === 'update' || event === 'insert')
  const transitions = [
    ...(oldRows ? [`OLD TABLE AS ${OLD_ROWS}`] : []),
    ...(newRows ? [`NEW TABLE AS ${NEW_ROWS}`] : []),
  ]
  const name = names.trigger(event)
  const sql = [
    `CREATE OR REPLACE TRIGGER ${quoteIdentifier(name)} AFTER ${event.toUpperCase()} ON ${quoteTable(table)}`,
    ...(transitions.length > 0 ? [`REFERENCING ${transitions.join(' ')}`] : []),
    `FOR EACH ${eachRow ? 'ROW' : 'STATEMENT'} EXECUTE FUNCTION ${quoteTable({ schema, name: names.function(event) })}()`,
  ].join(' ')
  const type = TYPE_BITS[event] | (eachRow ? TYPE_BITS.row : 0)
  return { name, table, function: names.function(event), type, oldRows, newRows, sql }
}
