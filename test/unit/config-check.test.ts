import { describe, expect, it } from 'vitest'
import { checkBase, checkConfig } from '../../src/config/check.ts'
import { defineConfig, sql } from '../../src/config/define.ts'

const city = { table: 'geo.city', index: 'cities' }

/** `where: what` of every problem, and its remedy. */
function problemsIn(config: unknown): string[] {
  return checkConfig(config).problems.map(
    ({ where, what, remedy }) => `${where}: ${what}${remedy === undefined ? '' : ` → ${remedy}`}`,
  )
}

describe('a configuration that is right', () => {
  it('comes back as it was written', () => {
    const config = {
      connection: { postgres: 'postgres://a:b@c/d', elasticsearch: 'http://a:9200,http://b:9200' },
      limits: { batchSize: 10 },
      schema: 'sluice_2',
      documents: {
        city: {
          ...city,
          id: ['id'],
          where: 'active',
          fields: { name: 'name', 'geo.lat': 'lat', slug: { sql: 'lower(name)' } },
          mappings: { properties: { name: { type: 'keyword', ignore_above: 10 } } },
          settings: { number_of_replicas: 0 },
          brake: { deletes: 0.25 },
        },
        country: { table: 'country', index: 'countries', omit: ['secret'] },
      },
    }
    expect(checkConfig(config)).toEqual({ value: config, problems: [] })
    const fields = { name: 'name', 'geo.lat': 'lat', slug: sql('lower(name)') }
    const documents = { ...config.documents, city: { ...config.documents.city, fields } }
    expect(defineConfig({ ...config, documents })).toEqual(config)
  })

  it('may hold undefined where a key is left out by a condition', () => {
    expect(
      checkConfig({ limits: undefined, documents: { city: { ...city, where: undefined } } }).value,
    ).toEqual({
      documents: { city },
    })
    const mappings = (more: object) => ({ dynamic_templates: [{ a: { match: '*', ...more } }] })
    expect(
      checkConfig({ documents: { city: { ...city, mappings: mappings({ unmatch: undefined }) } } }).value,
    ).toEqual({ documents: { city: { ...city, mappings: mappings({}) } } })
  })

  it('may be frozen', () => {
    expect(
      checkConfig(Object.freeze({ documents: Object.freeze({ city: Object.freeze(city) }) })).problems,
    ).toEqual([])
  })
})

describe('a configuration that is wrong', () => {
  const document = 'a document: { table, index, … }'
  const fields = 'a list of columns, or an object of field path → column or sql("…")'
  const name =
    'a document name: a lower-case letter, then lower-case letters, digits or "_", at most 40 in all'
  const knownInDocument =
    'Known here: table, index, id, where, fields, omit, relations, tenant, routing, pipeline, transform, sql, dependsOn, mappings, settings, brake.'

  it.each<[config: unknown, problem: string]>([
    [null, 'the configuration: got null, expected an object: { documents: { … } }'],
    [[], 'the configuration: got [], expected an object: { documents: { … } }'],
    [{}, 'documents: is missing, expected an object of document name → document'],
    [{ documents: [] }, 'documents: got [], expected an object of document name → document'],
    [{ documents: { city: 'x' } }, `documents.city: got "x", expected ${document}`],
    [{ documents: { City: city } }, `documents.City: got "City", expected ${name}`],
    [{ documents: { 'a.b': city } }, `documents["a.b"]: got "a.b", expected ${name}`],
    [
      { documents: { [`c${'i'.repeat(40)}`]: city } },
      `documents.c${'i'.repeat(40)}: got "c${'i'.repeat(40)}", expected ${name}`,
    ],
    [
      { documents: { city: { index: 'cities' } } },
      'documents.city.table: is missing, expected the root table: "schema.table", or "table" for public.table',
    ],
    [
      { documents: { city: { ...city, brake: { deletes: 10 } } } },
      'documents.city.brake.deletes: got 10, expected a share from 0 to 1, such as 0.1 for 10 %',
    ],
    [
      { documents: { city: { ...city, brake: { deletes: 0.1, delete: 1 } } } },
      'documents.city.brake.delete: is not a known key (did you mean "deletes"?) → Known here: deletes.',
    ],
    [
      { documents: { city: { ...city, brake: 0.1 } } },
      'documents.city.brake: got 0.1, expected an object: { deletes: 0.1 }',
    ],
    [
      { documents: { city: { ...city, table: 'a.b.c' } } },
      'documents.city.table: got "a.b.c", expected the root table: "schema.table", or "table" for public.table',
    ],
    [
      { documents: { city: { table: 'city' } } },
      'documents.city.index: is missing, expected the alias that searches use, such as "cities"',
    ],
    [
      { documents: { city: { ...city, index: 'Cities' } } },
      'documents.city.index: got "Cities", expected a name that Elasticsearch takes: lower case, at most 233 bytes; it must be lower case',
    ],
    [
      { documents: { city: { ...city, tabel: 'x' } } },
      `documents.city.tabel: is not a known key (did you mean "table"?) → ${knownInDocument}`,
    ],
    [
      { documents: { city: { ...city, feilds: [] } } },
      `documents.city.feilds: is not a known key (did you mean "fields"?) → ${knownInDocument}`,
    ],
    [
      { document: {}, documents: {} },
      'document: is not a known key (did you mean "documents"?) → Known here: connection, limits, admin, alerts, schema, instance, logLevel, documents, schedules.',
    ],
    [
      { limits: { batchsize: 5 }, documents: {} },
      'limits.batchsize: is not a known key (did you mean "batchSize"?) → Known here: batchSize, batchBytes, concurrency, pollingInterval, maxRetries, requestTimeout, shutdownTimeout, syncLogRetentionDays.',
    ],
    [
      { connection: { elasticsearchApikey: 'k' }, documents: {} },
      'connection.elasticsearchApikey: is not a known key (did you mean "elasticsearchApiKey"?) → Known here: postgres, elasticsearch, elasticsearchApiKey, elasticsearchUsername, elasticsearchPassword, elasticsearchCaFile, plaintextHosts.',
    ],
    [
      { admin: { prot: 1 }, documents: {} },
      'admin.prot: is not a known key (did you mean "port"?) → Known here: host, port, token, hosts, trustedProxies.',
    ],
    [
      { alerts: { webhok: 'x' }, documents: {} },
      'alerts.webhok: is not a known key (did you mean "webhook"?) → Known here: webhook, backlogAfter, drift.',
    ],
    [
      { limits: { batchSize: 0 }, documents: {} },
      'limits.batchSize: got 0, expected a whole number of keys from 1 to 100000',
    ],
    [
      { limits: { batchSize: '1000' }, documents: {} },
      'limits.batchSize: got "1000", expected a whole number of keys from 1 to 100000',
    ],
    [
      { limits: { requestTimeout: 1.5 }, documents: {} },
      'limits.requestTimeout: got 1.5, expected a whole number of milliseconds from 100 to 600000',
    ],
    [
      { connection: { postgres: 'mysql://a:geheim@b/c' }, documents: {} },
      'connection.postgres: got "mysql://a:***@b/c", expected a URL such as postgres://user:password@host:5432/database',
    ],
    [
      { connection: { elasticsearchApiKey: ' ' }, documents: {} },
      'connection.elasticsearchApiKey: got a text that is not shown, expected an encoded API key',
    ],
    [
      { logLevel: 'loud', documents: {} },
      'logLevel: got "loud", expected one of fatal, error, warn, info, debug, trace, silent',
    ],
    [
      { schema: 'public', documents: {} },
      'schema: got "public", expected a schema for sluice alone: 1 to 63 bytes without quotes or backslashes, not "public", "information_schema" or "pg_…"',
    ],
    [
      { documents: { city: { ...city, id: [] } } },
      'documents.city.id: got [], expected a list of key columns: at least one',
    ],
    [
      { documents: { city: { ...city, id: 'id' } } },
      'documents.city.id: got "id", expected a list of key columns',
    ],
    [
      { documents: { city: { ...city, id: ['id', 'id'] } } },
      'documents.city.id: got ["id","id"], expected a list of key columns: none twice',
    ],
    [
      { documents: { city: { ...city, where: '' } } },
      'documents.city.where: got "", expected an SQL condition over the root row, such as "active"',
    ],
    [
      { documents: { city: { ...city, where: true } } },
      'documents.city.where: got true, expected an SQL condition over the root row, such as "active"',
    ],
    [
      { documents: { city: { ...city, fields: 'name' } } },
      `documents.city.fields: got "name", expected ${fields}`,
    ],
    [
      { documents: { city: { ...city, fields: [] } } },
      'documents.city.fields: got [], expected a list of columns: at least one',
    ],
    [
      { documents: { city: { ...city, fields: {} } } },
      'documents.city.fields: got {}, expected at least one field',
    ],
    [
      { documents: { city: { ...city, fields: ['id', 7] } } },
      'documents.city.fields[1]: got 7, expected a list of columns: each a text that is not empty',
    ],
    [
      { documents: { city: { ...city, fields: { slug: 5 } } } },
      'documents.city.fields.slug: got 5, expected a column, or sql("…")',
    ],
    [
      { documents: { city: { ...city, fields: { slug: { sql: '' } } } } },
      'documents.city.fields.slug.sql: got "", expected SQL over the row, such as "lower(name)"',
    ],
    [
      { documents: { city: { ...city, fields: { slug: { sqll: 'x' } } } } },
      `documents.city.fields.slug.sql: is missing, expected SQL over the row, such as "lower(name)"
documents.city.fields.slug.sqll: is not a known key (did you mean "sql"?) → Known here: sql.`,
    ],
    [
      { documents: { city: { ...city, fields: { slug: { sql: 'x', sq: 'y' } } } } },
      'documents.city.fields.slug.sq: is not a known key (did you mean "sql"?) → Known here: sql.',
    ],
    [
      { documents: { city: { ...city, fields: { 'a..b': 'name' } } } },
      'documents.city.fields["a..b"]: got "a..b", expected a field path such as "name" or "geo.lat"',
    ],
    [
      { documents: { city: { ...city, mappings: [] } } },
      'documents.city.mappings: got [], expected an object, as Elasticsearch has it',
    ],
    [
      { documents: { city: { ...city, mappings: { properties: { at: { since: new Date(0) } } } } } },
      'documents.city.mappings.properties.at.since: got "1970-01-01T00:00:00.000Z", expected a value that JSON has',
    ],
    [
      { documents: { city: { ...city, settings: { refresh: () => 1 } } } },
      'documents.city.settings.refresh: got a function, expected a value that JSON has',
    ],
    [
      { documents: { city: { ...city, settings: { refresh: { after: Number.NaN } } } } },
      'documents.city.settings.refresh.after: got null, expected a value that JSON has',
    ],
    [
      { documents: { city: { ...city, fields: ['id'], omit: ['secret'] } } },
      'documents.city.omit: given together with "fields", expected one of the two → List the columns to take in "fields", or those to leave out in "omit".',
    ],
    [
      { documents: { city: { ...city }, town: { table: 'town', index: 'cities' } } },
      'documents.town.index: got "cities", which is the index of documents.city too → Give each document an index of its own; a search may name several, or an alias over them.',
    ],
    [
      { documents: { city: { ...city }, old: { table: 'old', index: 'cities-2025' } } },
      'documents.old.index: got "cities-2025", which overlaps "cities" of documents.city: physical indices are "cities-2*-*" and "cities-2025-2*-*", and a name can fit both → Choose names of which none is another followed by "-2…".',
    ],
    [
      {
        documents: {
          city: { ...city, index: 'cities-{tenant}', tenant: 'country' },
          old: { table: 'old', index: 'cities' },
        },
      },
      'documents.old.index: got "cities", which overlaps "cities-{tenant}" of documents.city: physical indices are "cities-*-2*-*" and "cities-2*-*", and a name can fit both → Choose names of which none begins with what stands before {tenant} in another.',
    ],
    [
      {
        documents: {
          city: { ...city },
          old: { table: 'old', index: 'cities-{tenant}', tenant: 'country' },
        },
      },
      'documents.old.index: got "cities-{tenant}", which overlaps "cities" of documents.city: physical indices are "cities-2*-*" and "cities-*-2*-*", and a name can fit both → Choose names of which none begins with what stands before {tenant} in another.',
    ],
    [
      { documents: { city: { ...city }, old: { table: 'old', index: 7 } } },
      'documents.old.index: got 7, expected the alias that searches use, such as "cities"',
    ],
  ])('%j', (config, problem) => {
    expect(problemsIn(config).join('\n')).toBe(problem)
  })

  it('reports everything at once', () => {
    const problems = problemsIn({
      limits: { batchSize: -1, concurency: 3 },
      documents: {
        city: { ...city, index: 'Cities', fields: ['id'], omit: ['x'] },
        Town: { table: 'town', index: 'towns' },
        river: { table: '', index: 'rivers' },
      },
    })
    expect(problems.map((problem) => problem.split(': ')[0])).toEqual([
      'limits.batchSize',
      'limits.concurency',
      'documents.city.index',
      'documents.Town',
      'documents.river.table',
      'documents.city.omit',
    ])
  })

  it('does not matter to what needs no documents', () => {
    expect(checkBase({ schema: 'x', documents: { City: 1 } })).toEqual({
      value: { schema: 'x', documents: { City: 1 } },
      problems: [],
    })
    expect(checkBase({ schema: 'pg_x' }).problems).toHaveLength(1)
  })
})
