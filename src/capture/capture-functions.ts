import { quoteIdentifier, quoteLiteral, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import { keyExpression } from '../documents/key-sql.ts'
import type { KeyColumn } from '../documents/types.ts'
import type { MarkTarget } from './function-bodies.ts'
import type { InstalledFunction } from './inventory.ts'
import { fingerprint, objectComment } from './names.ts'
import { sameJson } from './same-json.ts'

/** A function that `install` creates in our schema. */
export interface CaptureFunction {
  /** Unquoted. */
  readonly name: string
  /** Quoted, with argument types, without the schema: `key_city(geo.city)`. */
  readonly signature: string
  readonly sql: string
  readonly fingerprint: string
  /** As Postgres keeps it; null where it is parsed, and cannot be held against a text. */
  readonly body: string | null
}

/**
 * Key tuple of a row, as text. Parsed when it is created: it follows a renamed column or table, and Postgres refuses
 * to drop what it uses, naming it (invariant 15). Inlined into the trigger's query, it costs nothing measurable.
 */
export function keyFunction(
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
 * What leads from a row of a related table one level up, as text; null where a part is: then no row there has it, as in
 * a foreign key, and the row is in no document.
 */
export function linkFunction(
  target: MarkTarget,
  name: string,
  table: TableName,
  key: readonly KeyColumn[],
): CaptureFunction {
  const expression = keyExpression(key, '(r)')
  const present = key.map((column) => `(r).${quoteIdentifier(column.name)} IS NOT NULL`).join(' AND ')
  const link = key.length === 1 ? expression : `CASE WHEN ${present} THEN ${expression} END`
  return parsedFunction(target, name, [['r', table]], 'text', link)
}

/**
 * Whether two rows differ in a column that the document uses. Images are compared byte by byte: unlike IS DISTINCT
 * FROM this cannot raise for json or point, and it sees 1.0 and 1.00, and what a collation calls equal. A boolean
 * function is inlined; one that returned the record of used columns would be called, 2 µs a row.
 */
export function changedFunction(
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
  return captureFunction(target, name, types, sql, null)
}

/** What SECURITY DEFINER is safe with, as `pg_proc.proconfig` has it. */
const TRIGGER_SETTINGS: readonly string[] = ['search_path=pg_catalog, pg_temp']

/**
 * SECURITY DEFINER: the application's roles need no grant on our schema. The pinned search_path has pg_temp last,
 * or else a temporary table named like one of ours would swallow the marks.
 */
export function triggerFunction(target: MarkTarget, name: string, body: string): CaptureFunction {
  const sql = `CREATE OR REPLACE FUNCTION ${quoteTable({ schema: target.schema, name })}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $sluice$
${body}
$sluice$`
  return captureFunction(target, name, '', sql, `\n${body}\n`)
}

/** Only our own functions call them, as their owner; a trigger fires without a grant. */
function captureFunction(
  target: MarkTarget,
  name: string,
  argumentTypes: string,
  definition: string,
  body: string | null,
): CaptureFunction {
  const signature = `${quoteIdentifier(name)}(${argumentTypes})`
  const qualified = `${quoteIdentifier(target.schema)}.${signature}`
  const sql = [
    definition,
    `REVOKE ALL ON FUNCTION ${qualified} FROM PUBLIC`,
    `COMMENT ON FUNCTION ${qualified} IS ${quoteLiteral(objectComment(target.document, definition))}`,
  ].join(';\n')
  return { name, signature, sql, fingerprint: fingerprint(definition), body }
}

/**
 * It says that it is what `install` wrote, and is not: CREATE OR REPLACE keeps the comment. Of a parsed body there is no
 * text to compare.
 */
export function changedByHand(
  present: InstalledFunction,
  { body, fingerprint: wanted }: CaptureFunction,
): boolean {
  if (body === null || present.fingerprint !== wanted) return false
  return present.body !== body || !present.definer || !sameJson(present.config, TRIGGER_SETTINGS)
}
