import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ReindexWorld, reindexWorld } from './reindex-world.ts'

/**
 * Keys that are equal although their texts are not, of a type whose operators this role does not see: an extension in a schema
 * of its own. By "C" the order of texts is another than that of citext.
 */

let world: ReindexWorld
const definitions = () => ({ word: { table: 'word', index: `${world.server.prefix}word` } })
/** More than a walk marks at once, and than a verify reads: half of them in capitals. */
const ROWS = 10_200

beforeAll(async () => {
  world = await reindexWorld()
  await world.database.pool.query(`
    CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;
    CREATE TABLE word (id ext.citext COLLATE "C" PRIMARY KEY, n int);
    INSERT INTO word SELECT CASE WHEN i % 2 = 0 THEN 'W' ELSE 'w' END || lpad(i::text, 6, '0'), i FROM generate_series(1, ${ROWS}) i`)
  await world.install(definitions())
  world.instance(definitions())
})
afterAll(() => world.drop())

const stored = (id: string) => world.elasticsearch.get(definitions().word.index, id)

test('a walk marks every row once, and a verify finds each document', async () => {
  expect(await world.ended('1')).toMatchObject({ state: 'done', walked: ROWS })
  await world.indexed('word', definitions().word.index)
  await world.database.pool.query("INSERT INTO sluice.sync_run (kind, document) VALUES ('verify', 'word')")
  expect(await world.ended('2')).toMatchObject({
    state: 'done',
    result: { comparison: { rows: ROWS, documents: ROWS, missing: 0, extra: 0 } },
  })
})

test('a key that changes its case alone leaves nothing at its old id', async () => {
  const { pool } = world.database
  await pool.query(`UPDATE word SET id = 'w000002' WHERE id OPERATOR(ext.=) 'w000002'`)
  await world.drained()
  expect(await stored('w000002')).toMatchObject({ found: true, source: { id: 'w000002', n: 2 } })
  expect(await stored('W000002')).toMatchObject({ found: false })
  await pool.query(`DELETE FROM word WHERE id OPERATOR(ext.=) 'W000002'`)
  await world.drained()
  expect(await stored('w000002')).toMatchObject({ found: false })
})
