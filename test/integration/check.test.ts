import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { checkJson } from '../../src/answers/json/check.ts'
import { type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

const elasticsearch = testElasticsearch()
let database: TestDatabase
let place: Workspace

const city = `table: 'city', index: '${elasticsearch.prefix}city', fields: ['id', 'name']`
const event = `table: 'event', index: '${elasticsearch.prefix}event'`
const config = (documents: Readonly<Record<string, string>>) =>
  `export default { documents: { ${Object.entries(documents)
    .map(([name, text]) => `${name}: { ${text} }`)
    .join(', ')} } }`

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  await database.pool.query(`
    DROP SCHEMA IF EXISTS sluice CASCADE;
    DROP TABLE IF EXISTS city, event;
    CREATE TABLE city (id bigint PRIMARY KEY, name text, note text);
    CREATE TABLE event (id int PRIMARY KEY)`)
  // Our schema and Postgres are all it takes; install would need Elasticsearch.
  place = await workspace({ DATABASE_URL: database.url })
  await place.write('sluice.config.mjs', config({ city, event }))
})
afterEach(async () => {
  await place.remove()
  await elasticsearch.drop()
})

const withSearch = { ELASTICSEARCH_URL: elasticsearch.url }

async function check(args: readonly string[] = [], env = {}) {
  const { code, value } = await place.json(['check', ...args], env)
  const { steps, ...report } = checkJson.parse(value)
  return { code, ...report, steps: steps.map(({ what }) => what) }
}

describe('the configuration', () => {
  test('before anything is installed: all that install would do, with no Elasticsearch in sight', async () => {
    const { code, steps } = await check()
    expect(code).toBe(3)
    expect(steps).toContain('document city')
  })

  test('installed is in agreement, until the database is damaged or an index goes away', async () => {
    await place.sluice(['install'], withSearch)
    const { code, stdout } = await place.sluice(['check'], withSearch)
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Everything is as the configuration has it.\n' })
    await database.pool.query('ALTER TABLE city ADD COLUMN of_no_use int')
    expect(await check([], withSearch)).toMatchObject({ code: 0, steps: [], findings: [] })

    await database.pool.query('ALTER TABLE city DISABLE TRIGGER sluice_city_update')
    const damaged = await check()
    expect(damaged.code).toBe(3)
    expect(damaged.steps).toContain('trigger sluice_city_update on city (it was switched off)')
    await elasticsearch.drop()
    expect((await check([], withSearch)).steps.join()).toContain('which is gone')
  })

  test('that differs from what is installed: what install would change', async () => {
    await place.sluice(['install'], withSearch)
    await place.write('sluice.config.mjs', config({ city: city.replace("'name'", "'name', 'note'") }))
    const { code, steps, findings } = await check()
    expect(code).toBe(3)
    expect(steps).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^mappings of .*: note$/),
        'view document_city',
        'definition of city',
      ]),
    )
    expect(findings).toMatchObject([{ kind: 'configuration', document: 'event', effect: 'changes' }])
  })

  test('that is wrong in several documents is an error which names them all', async () => {
    await place.write(
      'sluice.config.mjs',
      config({ city: city.replace("'name'", "'nmae'"), event: event.replace("'event'", "'evnet'") }),
    )
    const { code, stderr } = await place.sluice(['check'])
    expect(code).toBe(2)
    expect(stderr).toContain('documents.city')
    expect(stderr).toContain('documents.event.table')
  })
})

describe('a migration', () => {
  test('is checked where nothing is installed but our schema, and says what it would break', async () => {
    await place.write('1.sql', 'ALTER TABLE city ADD COLUMN height int;')
    await place.write('2.sql', '\nALTER TABLE city DROP COLUMN name;')
    expect(await place.sluice(['check', '--migration', '1.sql'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Run sluice migrate'),
    })
    await place.sluice(['migrate'])
    expect(await place.sluice(['check', '--migration', '1.sql'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^It breaks nothing, and sluice has nothing to do after it\.\n\nIt touches\n {2}city \(ACCESS EXCLUSIVE\)/,
      ),
    })
    const { code, stdout } = await place.sluice(['check', '--migration', '1.sql', '2.sql'])
    expect(code).toBe(3)
    expect(stdout).toMatch(
      /^breaks {2}city \(name\) {2}2\.sql:2\n {2}Postgres refuses it for document_city.*\n {2}→ Take it out/,
    )
    const { findings } = await check(['--migration', '1.sql', '2.sql'])
    expect(findings).toMatchObject([
      { effect: 'breaks', kind: 'refused', document: 'city', where: '2.sql:2' },
    ])
  })

  test('that cannot be read or tried is wrong usage', async () => {
    await place.write('m.sql', 'BEGIN; SELECT 1; COMMIT')
    const refused = await place.sluice(['check', '--migration', 'm.sql'])
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('m.sql:1: "BEGIN" controls') })
    const missing = await place.sluice(['check', '--migration', 'nowhere.sql'])
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('nowhere.sql: cannot be read') })
  })
})
