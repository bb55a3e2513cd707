import type pg from 'pg'
import type { PageRow } from '../unit/documents-page.ts'

/** Names in docs/mappings.md that stand for a type of one's own. */
const ownTypes: Readonly<Record<string, string>> = {
  'an enum': 'mood',
  'a composite type': 'pair',
  'anything else': 'tsvector',
}

export async function createExampleTypes(pool: pg.Pool): Promise<void> {
  await pool.query(`
    CREATE TYPE mood AS ENUM ('good', 'so so');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN short_text AS varchar(10);
    CREATE DOMAIN short_texts AS short_text[]`)
}

/** A table with a column c0, c1, … for each row of the page; one row of their examples (id 1), one of nulls (id 2). */
export async function createExampleTable(
  pool: pg.Pool,
  table: string,
  rows: readonly PageRow[],
): Promise<void> {
  const typeOf = ({ type }: PageRow) => ownTypes[type] ?? type
  const columns = rows.map((row, n) => `c${n} ${typeOf(row)}`)
  const values = rows.map((row) =>
    row.example.startsWith("'") ? `${row.example}::${typeOf(row)}` : row.example,
  )
  await pool.query(`CREATE TABLE ${table} (id int PRIMARY KEY, ${columns.join(', ')});
    INSERT INTO ${table} VALUES (1, ${values.join(', ')}); INSERT INTO ${table} VALUES (2)`)
}
