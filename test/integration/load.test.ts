import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copySettings, copyText } from '../../src/postgres/copy-text.ts'
import { inTransaction } from '../../src/postgres/transaction.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, load, SCHEMA } from './documents-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  // Enough rows that reading them all is the more expensive way.
  await database.pool.query(`
    CREATE TABLE simple (id bigint PRIMARY KEY, active bool, body text);
    INSERT INTO simple SELECT n, n % 2 = 0, repeat(md5(n::text), 20) FROM generate_series(1, 60000) n;
    CREATE TABLE composite (code text, at date, active bool, body text, PRIMARY KEY (code, at));
    INSERT INTO composite SELECT 'code ' || n / 10, date '2024-01-01' + n % 10, true, repeat(md5(n::text), 20) FROM generate_series(1, 60000) n`)
  await database.pool.query('VACUUM ANALYZE simple, composite')
})
afterAll(() => database.drop())

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly PlanNode[]
}

/** How Postgres reads each table: `simple: Index Scan (id = k.key_1)`. */
async function scans(text: string, values: readonly unknown[]): Promise<string[]> {
  const { rows } = await database.pool.query<Explained>(`EXPLAIN (FORMAT JSON) ${text}`, [...values])
  return scansOf(rows)
}

interface Explained {
  readonly 'QUERY PLAN': readonly [{ readonly Plan: PlanNode }]
}

function scansOf(rows: readonly Explained[]): string[] {
  const found: string[] = []
  const visit = (node: PlanNode) => {
    const table = node['Relation Name']
    if (table !== undefined) found.push(`${table}: ${node['Node Type']} ${node['Index Cond'] ?? ''}`)
    node.Plans?.forEach(visit)
  }
  for (const { Plan } of rows[0]?.['QUERY PLAN'] ?? []) visit(Plan)
  return found
}

const thousand = Array.from({ length: 1000 }, (_, n) => n * 50 + 1)

describe('1,000 keys are found by the key’s index', () => {
  it('of one column', async () => {
    const plan = await installView(database.pool, { table: 'simple', where: 'active' })
    expect(await scans(plan.loadSql, [thousand.map(String)])).toEqual(['simple: Index Scan (id = k.key_1)'])
    expect(await load(database.pool, plan, thousand.map(String))).toHaveLength(0)
    expect(
      await load(
        database.pool,
        plan,
        thousand.map((n) => String(n + 1)),
      ),
    ).toHaveLength(1000)
  })

  it('of several columns', async () => {
    const plan = await installView(database.pool, { table: 'composite', id: ['at', 'code'] })
    const values = [thousand.map(() => '2024-01-03'), thousand.map((n) => `code ${n}`)]
    const [scan] = await scans(plan.loadSql, values)
    expect(scan).toMatch(/^composite: Index Scan \(\(code = .*key_2\) AND \(at = .*key_1\)\)$/)
  })
})

it('reads by a COPY, whose keys are in a setting, is planned for as many as there are', async () => {
  const plan = await installView(database.pool, { table: 'simple', where: 'active' })
  const query = copyText(plan.loadSql).replace(/^COPY \((.*)\) TO STDOUT .*$/s, '$1')
  for (const keys of [thousand, [1]]) {
    const settings = copySettings([keys.map(String)])
    const [rows, ofParameters] = await inTransaction(
      database.pool,
      async (client) => [
        (await client.query<Explained>(`EXPLAIN (FORMAT JSON) ${query}`)).rows,
        (await client.query<Explained>(`EXPLAIN (FORMAT JSON) ${plan.loadSql}`, [keys.map(String)])).rows,
      ],
      { settings },
    )
    expect(scansOf(rows)).toEqual(['simple: Index Scan (id = k.key_1)'])
    expect(rowsOfKeys(rows)).toBe(keys.length)
    expect(rowsOfKeys(ofParameters)).toBe(keys.length)
  }
})

/** How many keys the planner expects. */
function rowsOfKeys(rows: readonly Explained[]): number {
  return Number(/"Function Name": "unnest".*?"Plan Rows": (\d+)/s.exec(JSON.stringify(rows, null, 1))?.[1])
}

describe('what belongs to 1,000 documents is found by indexes', () => {
  beforeAll(async () => {
    await database.pool.query(`
      CREATE TABLE parent (id bigint PRIMARY KEY, body text);
      INSERT INTO parent SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 60000) n;
      CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint REFERENCES parent, other_id bigint REFERENCES simple, at timestamptz);
      INSERT INTO child SELECT n, n % 60000 + 1, n % 60000 + 1, now() FROM generate_series(1, 120000) n;
      CREATE INDEX child_of_parent ON child (parent_id)`)
    await database.pool.query('VACUUM ANALYZE parent, child')
  })
  const other = { one: 'simple', fields: ['id'], on: { other_id: 'id' } } as const

  it('once each, whatever else is asked of it', async () => {
    const relations = { children: { many: 'child', orderBy: 'at desc', limit: 3, relations: { other } } }
    const plan = await installView(database.pool, { table: 'parent', relations })
    expect((await scans(plan.loadSql, [thousand.map(String)])).toSorted()).toEqual([
      // Postgres 15 shows a parameter in place of the outer column.
      expect.stringMatching(/^child: Index Scan \(parent_id = (parent\.id|\$\d+)\)$/),
      'parent: Index Scan (id = k.key_1)',
      expect.stringMatching(/^simple: Index Only Scan \(id = /),
    ])
  })

  it('however many relations there are', async () => {
    const relations = Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [`r${n}`, { many: 'child', fields: ['id'], orderBy: 'at' }]),
    )
    const plan = await installView(database.pool, { table: 'parent', relations })
    const found = await scans(plan.loadSql, [thousand.map(String)])
    expect(found).toHaveLength(13)
    for (const scan of found) expect(scan).toMatch(/: Index Scan /)
  })

  it('and not looked at by a walk', async () => {
    const plan = await installView(database.pool, {
      table: 'parent',
      relations: { children: { many: 'child' } },
    })
    const walk = `SELECT w.key FROM "${SCHEMA.replaceAll('"', '""')}"."${plan.view}" w
      WHERE w.key_1 > $1::bigint ORDER BY w.key_1 LIMIT 1000`
    const found = await scans(walk, ['100'])
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^parent: Index( Only)? Scan \(id > '100'::bigint\)$/)
  })
})

describe('a walk through the view rides the key’s index', () => {
  it.each([
    ['simple', ['id'], ['100'], /^simple: Index( Only)? Scan \(id > '100'::bigint\)$/],
    [
      'composite',
      ['code', 'at'],
      ['code 5', '2024-01-03'],
      /^composite: Index( Only)? Scan \(ROW\(code, at\) > ROW\(/,
    ],
    [
      'composite',
      ['at', 'code'],
      ['code 5', '2024-01-03'],
      /^composite: Index( Only)? Scan \(ROW\(code, at\) > ROW\(/,
    ],
  ])('of %s by %j', async (table, id, last, expected) => {
    const plan = await installView(database.pool, { table, id })
    const names = plan.walkOrder.map((n) => `w.key_${n + 1}`)
    const after = plan.walkOrder.map((n, at) => `$${at + 1}::text::${plan.key[n]?.type}`)
    const walk = `SELECT w.key FROM "${SCHEMA.replaceAll('"', '""')}"."${plan.view}" w
      WHERE (${names.join(', ')}) > (${after.join(', ')}) ORDER BY ${names.join(', ')} LIMIT 1000`
    const found = await scans(walk, last)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })
})
