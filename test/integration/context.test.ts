import { expect, test } from 'vitest'
import { eventually, testDatabase, testElasticsearch } from '../support/context.ts'

test('a test database is fresh and goes away', async () => {
  const database = await testDatabase()
  const { rows } = await database.pool.query('SELECT current_database() AS name')
  expect(database.url).toContain(rows[0].name)
  await database.drop()
})

test('a prefix is cleaned up', async () => {
  const search = testElasticsearch()
  await search.request('PUT', `/${search.prefix}a-1`, { aliases: { [`${search.prefix}a`]: {} } })
  await search.request('PUT', `/_index_template/${search.prefix}a`, {
    index_patterns: [`${search.prefix}a-*`],
  })
  await search.drop()
  expect(await search.request('GET', `/_cat/indices/${search.prefix}*?format=json`)).toEqual([])
  expect(await search.request('GET', `/_index_template/${search.prefix}*`)).toEqual({ index_templates: [] })
})

test('eventually waits, returns the value, and says what it saw last', async () => {
  let n = 0
  expect(await eventually(() => ++n > 2 && n)).toBe(3)
  await expect(
    eventually(() => expect(n).toBe(4), { timeoutMs: 50, describe: () => ({ n }) }),
  ).rejects.toThrow(/not within 50 ms[\s\S]*expected 3 to be 4[\s\S]*state: \{ n: 3 \}/)
})
