import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkMigration } from '../../src/capture/check-migration.ts'
import type { Finding } from '../../src/capture/findings.ts'
import { readMigration } from '../../src/capture/migration-file.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { type Definitions, type InstallWorld, installWorld } from './install-world.ts'

let world: InstallWorld
let definitions: Definitions
beforeAll(async () => {
  world = await installWorld()
  definitions = {
    city: {
      table: 'geo.city',
      index: `${world.server.prefix}city`,
      where: 'active',
      fields: { id: 'id', title: 'name', slug: { sql: 'lower(name)' } },
    },
    event: { table: 'event', index: `${world.server.prefix}event` },
  }
  await world.database.pool.query(`
    CREATE SCHEMA geo;
    CREATE TABLE geo.city (id bigint PRIMARY KEY, name text, active boolean, population int, secret text);
    INSERT INTO geo.city SELECT n, 'city ' || n, true FROM generate_series(1, 20) n;
    CREATE TABLE event (id int PRIMARY KEY, day date) PARTITION BY RANGE (id);
    CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10);
    CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
    CREATE TABLE event_3 (LIKE event INCLUDING ALL)`)
})
afterAll(() => world.drop())

/** Tries migrations, named 1.sql and so on; findings and steps in short. */
async function check(sql: string | readonly string[], configured = definitions) {
  const texts = typeof sql === 'string' ? [sql] : sql
  const before = await state()
  const report = await checkMigration(world.database.pool, {
    schema: world.schema,
    definitions: new Map(Object.entries(configured)),
    files: texts.map((text, n) => readMigration(`${n + 1}.sql`, text)),
  }).finally(async () => expect(await state()).toEqual(before))
  return { ...report, findings: report.findings.map(short), steps: report.steps.map(({ what }) => what) }
}

function short({ effect, kind, document, fields, where, what }: Finding): string {
  const subject = `${document}${fields.length > 0 ? `(${fields.join(',')})` : ''}`
  return [effect, kind, subject, ...(where === null ? [] : [where])].join(' ').concat(`: ${what}`)
}

/** What a migration that is taken back has to leave as it was. */
async function state(): Promise<unknown> {
  const { rows } = await world.database.pool.query(`
    SELECT 'column ' || attrelid::regclass || '.' || attname || ' ' || atttypid::regtype AS what FROM pg_attribute
      JOIN pg_class c ON c.oid = attrelid WHERE relkind IN ('r', 'p', 'v') AND attnum > 0 AND c.oid > 16000
    UNION ALL SELECT 'trigger ' || tgname || tgenabled::text FROM pg_trigger
    UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE oid > 16000
    UNION ALL SELECT 'mark ' || id FROM sluice.sync_queue UNION ALL SELECT 'document ' || name FROM sluice.sync_document
    UNION ALL SELECT 'row ' || c FROM geo.city c ORDER BY 1`)
  return rows
}

/** Definitions as they are after a renamed column. */
function renamed(): Definitions {
  const { city, ...others } = definitions
  if (city === undefined) throw new Error('there is a city')
  return { ...others, city: { ...city, fields: { id: 'id', title: 'label', slug: { sql: 'lower(label)' } } } }
}

describe('where nothing is installed but our schema', () => {
  beforeAll(async () => {
    await migrate(world.database.url, world.schema)
  })

  test('a migration is held against what install would make', async () => {
    expect((await check('ALTER TABLE geo.city DROP COLUMN name')).findings).toEqual([
      expect.stringMatching(
        /^breaks refused city\(slug,title\) 1\.sql:1: Postgres refuses it for document_city/,
      ),
    ])
  })

  test('a migration may make a configuration possible', async () => {
    const { findings, steps } = await check('ALTER TABLE geo.city RENAME name TO label', renamed())
    expect(findings).toEqual([])
    expect(steps).toContain('document city')
  })

  test('a configuration that fits neither before nor after is an error of its own', async () => {
    await expect(check('SELECT 1', renamed())).rejects.toThrow(/documents\.city.*label/)
  })
})

describe('a migration', () => {
  beforeAll(async () => {
    await world.install(definitions)
  })
  test('that is no matter for sluice is none', async () => {
    const report = await check(`
      CREATE TABLE other (id int);
      ALTER TABLE geo.city ADD COLUMN note text, DROP COLUMN secret;
      CREATE INDEX ON geo.city (name);`)
    expect(report).toMatchObject({ findings: [], steps: [], marks: [] })
  })

  test('touches tables, in one way or another, with their triggers', async () => {
    const touched = async (sql: string) =>
      (await check(sql)).touches.map(
        ({ document, table, lock, triggers }) => `${document} ${table} ${lock} ${triggers.length}`,
      )
    expect(
      await touched(
        'UPDATE geo.city SET secret = NULL; CREATE INDEX ON geo.city (name); TRUNCATE event_2; TABLE event_1',
      ),
    ).toEqual(['city geo.city SHARE 4', 'event event_2 ACCESS EXCLUSIVE 1'])
    expect(await touched('CREATE TABLE other (id int); ALTER TABLE geo.city RENAME TO town')).toEqual([
      'city geo.city ACCESS EXCLUSIVE 4',
    ])
  })

  test('that drops what is used is refused by Postgres; the statements after it are looked at, too', async () => {
    const { findings } = await check(
      '-- takes the name away\nALTER TABLE geo.city DROP COLUMN name;\nALTER TABLE geo.city ALTER COLUMN id TYPE numeric;\nDROP TABLE event;',
    )
    expect(findings).toEqual([
      expect.stringMatching(
        /^breaks refused city\(slug,title\) 1\.sql:2: Postgres refuses it for document_city.*changed_city/,
      ),
      expect.stringMatching(/^breaks refused city\(id\) 1\.sql:3: Postgres refuses it for document_city/),
      expect.stringMatching(/^breaks refused event 1\.sql:4: Postgres refuses it for document_event/),
    ])
  })

  test('that drops with CASCADE: what goes along', async () => {
    const { findings } = await check('ALTER TABLE geo.city DROP COLUMN name CASCADE')
    expect(findings).toEqual([
      expect.stringMatching(/^breaks lost city: it drops view document_city, function changed_city/),
      'breaks column city(slug,title): it drops geo.city.name, which the document uses',
      expect.stringMatching(
        /^breaks configuration city: the configuration does not fit after it: documents\.city/,
      ),
    ])
  })

  test('that renames: what follows, and what the configuration has to say', async () => {
    const { findings } = await check(
      'ALTER TABLE geo.city RENAME name TO label; ALTER TABLE geo.city RENAME TO town;',
    )
    expect(findings).toEqual([
      'changes table city: geo.city is called geo.town after it: sluice follows',
      'changes column city(slug,title): geo.town.name is called label after it: sluice follows, and the document stays as it is',
      expect.stringMatching(/^breaks configuration city: .*documents\.city\.table/),
    ])
  })

  test('with the configuration that goes with it', async () => {
    const { findings, steps } = await check('ALTER TABLE geo.city RENAME name TO label', renamed())
    expect(findings).toHaveLength(1)
    expect(steps).toContain('definition of city')
  })

  test('that adds a column to a document of all columns', async () => {
    const { findings, steps } = await check('ALTER TABLE event ADD COLUMN place text')
    expect(findings).toEqual([expect.stringMatching(/^changes column event: event has place more/)])
    expect(steps).toContain('view document_event')
  })

  test('that loses triggers', async () => {
    const { findings, steps } = await check(
      'DROP TRIGGER sluice_city_insert ON geo.city; ALTER TABLE geo.city DISABLE TRIGGER sluice_city_delete;',
    )
    expect(findings).toEqual([
      'breaks lost city: it drops or switches off trigger sluice_city_delete on geo.city, trigger sluice_city_insert on geo.city: changes go unnoticed',
    ])
    expect(steps).toContain('verify of city: a trigger or function was gone or off')
  })

  test('that attaches, adds and detaches partitions', async () => {
    const { findings } = await check(`
      ALTER TABLE event ATTACH PARTITION event_3 FOR VALUES FROM (20) TO (30);
      CREATE TABLE event_4 PARTITION OF event FOR VALUES FROM (30) TO (40);
      ALTER TABLE event DETACH PARTITION event_2;`)
    expect(findings).toEqual([
      'breaks partition event: it attaches event_3: rows that are in there come without a mark',
      'changes partition event: it adds event_4: all is noticed but a TRUNCATE of that partition alone',
      'breaks partition event: it takes event_2 away: documents of their rows stay in the index',
    ])
  })

  test('that swaps tables', async () => {
    const { findings, steps } = await check(`
      CREATE TABLE geo.city_new (LIKE geo.city INCLUDING ALL);
      INSERT INTO geo.city_new SELECT * FROM geo.city;
      ALTER TABLE geo.city RENAME TO city_old;
      ALTER TABLE geo.city_new RENAME TO city;`)
    expect(findings).toEqual([
      'breaks table city: geo.city is another table after it: triggers and documents follow the old one, now geo.city_old',
    ])
    expect(steps).toContain('verify of city: a trigger or function was gone or off')
  })

  test('that changes data: how much it marks, and when it is not noticed', async () => {
    expect(
      await check(`UPDATE geo.city SET name = upper(name) WHERE id <= 7; TRUNCATE event;`),
    ).toMatchObject({
      findings: [],
      steps: [],
      marks: [
        { document: 'city', keys: 7, everything: false },
        { document: 'event', keys: 0, everything: true },
      ],
    })
    const { findings, marks } = await check(
      'SET session_replication_role = replica; UPDATE geo.city SET name = upper(name);',
    )
    expect(findings).toEqual([
      expect.stringMatching(/^breaks capture null 1\.sql:1: it switches triggers off/),
    ])
    expect(marks).toEqual([])
  })

  test('in several files, which follow each other', async () => {
    const { findings } = await check([
      'ALTER TABLE geo.city RENAME name TO label',
      '\nALTER TABLE geo.city DROP COLUMN label',
    ])
    expect(findings.some((text) => text.startsWith('breaks refused city(slug,title) 2.sql:2'))).toBe(true)
  })

  test('has its way back left out, or it would come to nothing', async () => {
    const { findings, notes } = await check(
      '-- migrate:up\nALTER TABLE geo.city RENAME name TO label;\n-- migrate:down\nALTER TABLE geo.city RENAME label TO name;',
    )
    expect(findings).toHaveLength(2)
    expect(notes).toEqual(['1.sql: from line 3 on it is the way back, which was left out'])
  })

  test.each([
    [
      'cannot run in a transaction',
      'CREATE INDEX CONCURRENTLY ON geo.city (name)',
      '1.sql:1: CREATE INDEX CONCURRENTLY cannot run inside a transaction block, and check needs one',
    ],
    [
      'commits in a procedure',
      "CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'; CALL p()",
      '1.sql:1: it fails by itself: invalid transaction termination',
    ],
    [
      'fails by itself',
      'SELECT 1;\nALTER TABLE nowhere ADD c int',
      '1.sql:2: it fails by itself: relation "nowhere" does not exist',
    ],
  ])('that %s is an error which says so', async (_, sql, message) => {
    await expect(check(sql)).rejects.toThrow(message)
  })

  test('cannot commit, even if its COMMIT were not noticed', async () => {
    const [statement] = readMigration('x.sql', 'SELECT 1').statements
    const files = [
      {
        name: 'x.sql',
        downFrom: null,
        statements: [{ sql: 'DROP TABLE event_3; COMMIT', line: 1, words: statement?.words ?? [] }],
      },
    ]
    const before = await state()
    const checked = checkMigration(world.database.pool, {
      schema: world.schema,
      definitions: new Map(Object.entries(definitions)),
      files,
    })
    await expect(checked).rejects.toThrow('would have committed it')
    expect(await state()).toEqual(before)
  })

  test('does not wait long for a lock', async () => {
    const holder = await world.database.pool.connect()
    await holder.query('BEGIN; LOCK TABLE geo.city IN SHARE MODE')
    try {
      const checked = checkMigration(world.database.pool, {
        schema: world.schema,
        definitions: new Map(Object.entries(definitions)),
        files: [readMigration('x.sql', 'ALTER TABLE geo.city ADD COLUMN x int')],
      })
      await expect(checked).rejects.toThrow('a lock was not free within 2s')
    } finally {
      await holder.query('ROLLBACK')
      holder.release()
    }
  })
})
