import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { requestBackfill } from '../../src/runs/request-backfill.ts'
import { eventually } from '../support/context.ts'
import { type QueryDefinition, type SqlWorld, sqlWorld } from './sql-documents-world.ts'

/** The whole way, of documents that a query makes: installed, backfilled, changed, deleted. */

let world: SqlWorld
let daemon: { end(): Promise<void> } | null = null
beforeAll(async () => {
  world = await sqlWorld()
})
afterAll(() => world.drop())
afterEach(async () => {
  await daemon?.end()
  daemon = null
  await world.uninstall()
  await world.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
})

const createLines = () =>
  world.sql(`
    CREATE TABLE report (id bigint PRIMARY KEY, title text);
    CREATE TABLE line (id int PRIMARY KEY, report_id int, amount int);
    INSERT INTO report VALUES (1, 'one'), (2, 'two');
    INSERT INTO line VALUES (10, 1, 1), (11, 1, 2), (20, 2, 4)`)

async function install(definition: QueryDefinition): Promise<void> {
  await world.install({ report: { index: world.index, ...definition } })
  daemon = world.startDaemon(definition)
}

const becomes = (documents: Record<string, unknown>) =>
  eventually(async () => expect(await world.indexed()).toEqual(documents), {
    describe: JSON.stringify(documents),
  })

/** Returns how many keys it has walked. */
async function backfill(options: { where?: string } = {}): Promise<unknown> {
  // While the backfill of the installation is under way there is no second one.
  const id = await eventually(async () => {
    const requested = { document: 'report', options, requestedBy: 'test' }
    const run = await requestBackfill(world.database.pool, 'sluice', requested)
    expect(run.existing).toBe(false)
    return run.id
  })
  await eventually(async () =>
    expect(await world.value('SELECT state FROM sluice.sync_run WHERE id = $1', [id])).toBe('done'),
  )
  return world.value('SELECT total::int FROM sluice.sync_run WHERE id = $1', [id])
}

it('a report follows its lines, and goes with the last of them', async () => {
  await createLines()
  await install({
    table: 'report',
    id: ['id'],
    sql: `SELECT r.id, r.title, sum(l.amount)::int AS total
            FROM report r JOIN line l ON l.report_id = r.id WHERE r.id = ANY($1) GROUP BY r.id`,
    dependsOn: { 'public.line': 'report_id' },
  })
  await becomes({ 1: { title: 'one', total: 3 }, 2: { title: 'two', total: 4 } })
  await world.sql('UPDATE line SET amount = 5 WHERE id = 20')
  await becomes({ 1: { title: 'one', total: 3 }, 2: { title: 'two', total: 5 } })
  await world.sql('UPDATE line SET report_id = 1 WHERE id = 20')
  await becomes({ 1: { title: 'one', total: 8 } })
  await world.sql(`INSERT INTO line VALUES (21, 2, 1); UPDATE report SET title = 'uno' WHERE id = 1`)
  await becomes({ 1: { title: 'uno', total: 8 }, 2: { title: 'two', total: 1 } })
  await world.sql('DELETE FROM line WHERE report_id = 1; DELETE FROM report WHERE id = 2')
  await becomes({})
})

it('a row that cannot be computed fails alone', async () => {
  await createLines()
  await install({
    table: 'report',
    id: ['id'],
    sql: `SELECT r.id, (SELECT sum(12 / l.amount)::int FROM line l WHERE l.report_id = r.id) AS total FROM report r WHERE r.id = ANY($1)`,
    dependsOn: { line: 'report_id' },
  })
  await becomes({ 1: { total: 18 }, 2: { total: 3 } })
  await world.sql('UPDATE line SET amount = 0 WHERE id = 20; UPDATE line SET amount = 6 WHERE id = 11')
  await becomes({ 1: { total: 14 }, 2: { total: 3 } })
  await eventually(async () =>
    expect(await world.value('SELECT key || type FROM sluice.sync_failed')).toBe('2sqlstate_22012'),
  )
})

it('a document of a view follows the table behind it, and a TRUNCATE of that leaves none', async () => {
  await createLines()
  await world.sql(
    'CREATE VIEW line_owner AS SELECT report_id AS id, count(*)::int AS lines FROM line GROUP BY report_id',
  )
  await install({
    table: 'line_owner',
    id: ['id'],
    sql: 'SELECT id, lines FROM line_owner WHERE id = ANY($1)',
    dependsOn: { line: 'report_id' },
  })
  await becomes({ 1: { lines: 2 }, 2: { lines: 1 } })
  await world.sql('DELETE FROM line WHERE report_id = 2; INSERT INTO line VALUES (30, 3), (31, NULL)')
  await becomes({ 1: { lines: 2 }, 3: { lines: 1 } })
  // The view's row without an id is none.
  expect(await backfill({ where: 'lines > 0' })).toBe(2)
  await world.sql('TRUNCATE line')
  await becomes({})
})

it('a document of a materialized view follows a backfill after its refresh', async () => {
  await createLines()
  await world.sql(
    'CREATE MATERIALIZED VIEW totals AS SELECT report_id AS id, sum(amount)::int AS total FROM line GROUP BY report_id',
  )
  await install({
    table: 'totals',
    id: ['id'],
    sql: 'SELECT t.id, t.total, r.title FROM totals t LEFT JOIN report r ON r.id = t.id WHERE t.id = ANY($1)',
    dependsOn: { report: 'id' },
  })
  await becomes({ 1: { total: 3, title: 'one' }, 2: { total: 4, title: 'two' } })
  await world.sql(`UPDATE line SET amount = 9 WHERE id = 20; UPDATE report SET title = 'uno' WHERE id = 1`)
  await becomes({ 1: { total: 3, title: 'uno' }, 2: { total: 4, title: 'two' } })
  await world.sql('REFRESH MATERIALIZED VIEW totals')
  await backfill()
  await becomes({ 1: { total: 3, title: 'uno' }, 2: { total: 9, title: 'two' } })
})
