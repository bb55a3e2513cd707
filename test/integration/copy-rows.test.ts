import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool, isConnectionError, sqlState } from '../../src/postgres/connect.ts'
import { bytes, copyRows, count, text } from '../../src/postgres/copy-rows.ts'
import { copySettings, copyText } from '../../src/postgres/copy-text.ts'
import { readOnly } from '../../src/postgres/read-transaction.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

let database: TestDatabase
let pool: pg.Pool
let client: pg.PoolClient
let broken = false
beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url, { max: 1, applicationName: 'copies', statementTimeoutMs: 60_000 })
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})
beforeEach(async () => {
  client = await pool.connect()
  broken = false
})
afterEach(() => client.release(broken))

const copy = (query: string) => copyRows(client, copyText(query), [count, text, bytes, text])
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  )

describe('rows of a COPY', () => {
  test('are those of the query, whatever their size, and none where it has none', async () => {
    // Around the sizes of pages and of what a socket brings at once; every seventh is NULL.
    const sql = `SELECT n, 'é' || n, CASE WHEN n % 7 > 0 THEN repeat('ж', (n * 37)::int % 3000) END, NULL
      FROM generate_series(1::bigint, 3000) AS n`
    const { rows } = await client.query<[string, string, string | null, null]>({
      text: sql,
      rowMode: 'array',
    })
    const copied = await copy(sql)
    expect(copied.map(([n, key, document, none]) => [n, key, document && String(document), none])).toEqual(
      rows.map(([n, ...others]) => [Number(n), ...others]),
    )
    expect(await copy("SELECT 1::bigint, '', '{}'::json, '' WHERE false")).toEqual([])
  })

  test('of a megabyte each, and of nothing', async () => {
    const copied = await copy(
      `SELECT n, '', json_build_array(repeat(chr(96 + n::int), (n % 2 * 1000000)::int)), '' FROM generate_series(1::bigint, 9) AS n`,
    )
    const large = copied.map(
      ([n, , document]) =>
        String(document) === `["${n % 2 === 1 ? String.fromCharCode(96 + n).repeat(1_000_000) : ''}"]`,
    )
    expect(large).toEqual(Array(9).fill(true))
  })

  test('do not end in a row that fails: the error comes, and the session goes on', async () => {
    const query = `SELECT n, repeat('x', 1000), to_json(1 / (n - 5000)), '' FROM generate_series(1::bigint, 9000) AS n`
    expect(sqlState(await rejection(copy(query)))).toBe('22012')
    expect(await copy("SELECT 1::bigint, 'a', '{}'::json, NULL")).toEqual([[1, 'a', Buffer.from('{}'), null]])
  })

  test('of other columns than were said are an error, and the session goes on', async () => {
    await expect(copy("SELECT 1::bigint, 'a'")).rejects.toThrow('COPY sent what is no row')
    await expect(copy("SELECT 1::bool, 'a', '{}'::json, NULL")).rejects.toThrow('COPY sent what is no row')
    expect(await copy("SELECT 2::bigint, 'a', '{}'::json, NULL")).toHaveLength(1)
  })

  test('that do not come in time are an error, and so is a connection that is cut', async () => {
    const slow = createPool(database.url, { max: 1, applicationName: 'slow', statementTimeoutMs: 200 })
    const waiting = await slow.connect()
    const query = copyText('SELECT 1::bigint FROM pg_sleep(60)')
    const late = await rejection(copyRows(waiting, query, [count]))
    expect(late).toMatchObject({ message: 'Query read timeout' })
    expect(isConnectionError(late)).toBe(true)
    waiting.release(true)
    await slow.end()

    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const cut = rejection(copyRows(client, query, [count]))
    await expect
      .poll(async () => {
        const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`
        return (await database.pool.query(sql, [rows[0]?.pid])).rowCount
      })
      .toBe(1)
    broken = true
    expect(isConnectionError(await cut)).toBe(true)
    expect(isConnectionError(await rejection(copyRows(client, query, [count])))).toBe(true)
  })
})

describe('what a COPY has in place of parameters', () => {
  const asked = (arrays: readonly (readonly (string | null)[])[], query: string) =>
    readOnly(client, { timeoutMs: 10_000, ridesIndexes: true, settings: copySettings(arrays) }, () =>
      copy(query),
    )

  test('are arrays of any text', async () => {
    const hard = [
      '',
      'NULL',
      'null',
      '{',
      '}',
      ',',
      '"',
      '\\',
      "'",
      "\\'",
      ' a ',
      'é城😀',
      '\n\t',
      '$1',
      '{"a":"\\""}',
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.constantFrom(null, ...hard),
            fc.string({ unit: 'grapheme' }).filter((some) => !some.includes('\0')),
          ),
        ),
        async (values) => {
          const { result } = await asked(
            [values, values.map((_, n) => String(n))],
            "SELECT n, a, to_json(b), '' FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS k (a, b, n)",
          )
          expect(result.map(([n, a, b]) => [n, a, String(b)])).toEqual(
            values.map((value, n) => [n + 1, value, String(n)]),
          )
        },
      ),
      { numRuns: 50 },
    )
  })

  test('that are no values of their type are an error of that class', async () => {
    const query = "SELECT n, a::text, '{}'::json, '' FROM unnest($1::bigint[]) WITH ORDINALITY AS k (a, n)"
    expect(sqlState(await rejection(asked([['1', 'x']], query)))).toBe('22P02')
    expect((await asked([['1']], query)).result).toHaveLength(1)
  })

  test('are gone with the transaction', async () => {
    await asked([['1']], "SELECT 1::bigint, $1, '{}'::json, ''")
    const { rows } = await client.query(`SELECT current_setting('sluice.parameter_1', true) AS value`)
    expect(rows).toEqual([{ value: '' }])
  })
})
