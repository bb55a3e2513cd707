import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase, testElasticsearch } from '../../test/support/context.ts'
import { buildApp } from './app.ts'
import type { Found } from './search.ts'
import { openShop, type Shop } from './shop.ts'

/** The shop, on real servers. What is written behind its back is waited for with drain(). */

const elasticsearch = testElasticsearch()
let database: TestDatabase
let shop: Shop
beforeAll(async () => {
  database = await testDatabase()
  shop = await open()
  await shop.sluice.drain()
  await elasticsearch.request('POST', `/${elasticsearch.prefix}products/_refresh`)
})
afterAll(async () => {
  await shop.close()
  await elasticsearch.drop()
  await database.drop()
})

const open = () =>
  openShop({
    postgresUrl: database.url,
    elasticsearchUrl: elasticsearch.url,
    index: `${elasticsearch.prefix}products`,
    logLevel: 'silent',
    // Only a failure takes them.
    searchableWithinMs: 60_000,
  })

async function search(query: Record<string, string | readonly string[]> = {}): Promise<Found> {
  const parameters = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as [string, string]),
  )
  const answer = await shop.app.inject(`/products?${new URLSearchParams(parameters)}`)
  expect(answer.statusCode).toBe(200)
  return answer.json()
}

const ids = (found: Found) => found.products.map(({ id }) => Number(id))

/** Writes behind the application's back, and returns when a search finds it. */
async function write(sql: string): Promise<void> {
  await shop.pool.query(sql)
  await shop.sluice.drain()
  await elasticsearch.request('POST', `/${elasticsearch.prefix}products/_refresh`)
}

describe('a search', () => {
  test('finds what is sold, and only that', async () => {
    const { rows } = await shop.pool.query<{ sold: number; all: number }>(
      'SELECT count(*) FILTER (WHERE deleted_at IS NULL)::int AS sold, count(*)::int AS all FROM shop.product',
    )
    expect(rows[0]).toEqual({ sold: 225, all: 240 })
    expect((await search()).total).toBe(225)
  })

  test('tells nobody what the shop pays', async () => {
    const [product] = (await search()).products
    expect(Object.keys(product ?? {}).sort()).toEqual([
      'brand',
      'category',
      'description',
      'id',
      'name',
      'price',
      'rating',
      'review_count',
      'tags',
      'updated_at',
    ])
  })

  test('finds misspelt words, in the order of their pages', async () => {
    const found = await search({ q: 'ketle' })
    const { rows } = await shop.pool.query<{ ids: number[] }>(
      `SELECT array_agg(id) AS ids FROM shop.product WHERE deleted_at IS NULL AND name ILIKE '%kettle%'`,
    )
    const expected = rows[0]?.ids ?? []
    expect(expected.length).toBeGreaterThan(20)
    expect(found.total).toBe(expected.length)
    const pages = [ids(found), ids(await search({ q: 'ketle', page: '2' }))]
    expect(pages[0]).toHaveLength(20)
    expect(new Set(pages.flat()).size).toBe(Math.min(40, expected.length))
    expect(pages.flat().filter((id) => !expected.includes(id))).toEqual([])
  })

  test('narrows by several facets, each of which still shows its other values', async () => {
    const found = await search({ brand: ['Fjord', 'Dagmar'], tag: 'sale', maxPrice: '150' })
    const count = async (where: string) => {
      const { rows } = await shop.pool.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM shop.product p JOIN shop.brand b ON b.id = brand_id
          WHERE deleted_at IS NULL AND price <= 150 AND ${where}`,
      )
      return rows[0]?.n ?? -1
    }
    const sale = `EXISTS (SELECT FROM shop.product_tag JOIN shop.tag t ON t.id = tag_id
                           WHERE product_id = p.id AND t.name = 'sale')`
    expect(found.total).toBe(await count(`b.name IN ('Fjord', 'Dagmar') AND ${sale}`))
    expect(found.total).toBeGreaterThan(0)
    const counted = Object.fromEntries(found.facets.brand.map(({ value, count }) => [value, count]))
    expect(counted.Fjord).toBe(await count(`b.name = 'Fjord' AND ${sale}`))
    expect(counted['Casa Nova']).toBe(await count(`b.name = 'Casa Nova' AND ${sale}`))
    const gift = found.facets.tag.find(({ value }) => value === 'gift')?.count
    expect(gift).toBe(await count(`b.name IN ('Fjord', 'Dagmar') AND ${sale.replace("'sale'", "'gift'")}`))
  })

  test('refuses what it does not know', async () => {
    for (const query of ['colour=red', 'page=0', 'maxPrice=cheap']) {
      expect((await shop.app.inject(`/products?${query}`)).statusCode).toBe(400)
    }
  })
})

describe('a change', () => {
  test('is found by the next search', async () => {
    const answer = await shop.app.inject({
      method: 'PATCH',
      url: '/products/2',
      payload: { name: 'Samovar', price: 99.5 },
    })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ id: 2, name: 'Samovar', price: '99.50', searchable: true })
    expect((await search({ q: 'samovar' })).products).toMatchObject([{ id: 2, name: 'Samovar', price: 99.5 }])
  })

  test('that takes long is answered all the same', async () => {
    const impatient = buildApp({
      ...{ pool: shop.pool, sluice: shop.sluice, elasticsearch: elasticsearch.url },
      ...{ index: `${elasticsearch.prefix}products`, logLevel: 'silent', searchableWithinMs: 50 },
    })
    await shop.pool.query(`SELECT sluice.pause('product')`)
    const answer = await impatient
      .inject({ method: 'PATCH', url: '/products/3', payload: { name: 'Teasmade' } })
      .finally(() => shop.pool.query(`SELECT sluice.resume('product')`))
    expect(answer.statusCode).toBe(202)
    expect(answer.json()).toMatchObject({
      name: 'Teasmade',
      searchable: false,
      reason: expect.stringContaining('product: 1 key waits'),
    })
  })

  test('of what is not there, or with a field that nobody may set, is refused', async () => {
    const patch = (id: number, payload: object) =>
      shop.app.inject({ method: 'PATCH', url: `/products/${id}`, payload })
    expect((await patch(16, { name: 'Gone' })).statusCode).toBe(404)
    expect((await patch(1, { cost: 1 })).statusCode).toBe(400)
    expect((await patch(1, {})).statusCode).toBe(400)
  })

  test('soft delete and restore: the document goes, and comes again', async () => {
    const found = async () => (await search({ q: 'samovar' })).total
    expect((await shop.app.inject({ method: 'DELETE', url: '/products/2' })).statusCode).toBe(200)
    expect(await found()).toBe(0)
    expect((await shop.app.inject({ method: 'DELETE', url: '/products/2' })).statusCode).toBe(404)
    expect((await shop.app.inject({ method: 'POST', url: '/products/2/restore' })).statusCode).toBe(200)
    expect(await found()).toBe(1)
  })

  test('a review moves the rating', async () => {
    await write('DELETE FROM shop.review WHERE product_id = 2')
    expect((await search({ q: 'samovar' })).products).toMatchObject([{ rating: null, review_count: 0 }])
    for (const stars of [5, 4]) {
      const payload = { stars, text: 'whistles' }
      const answer = await shop.app.inject({ method: 'POST', url: '/products/2/reviews', payload })
      expect(answer.json()).toMatchObject({ searchable: true })
    }
    expect((await search({ q: 'samovar' })).products).toMatchObject([{ rating: 4.5, review_count: 2 }])
  })
})

describe('what others write', () => {
  test('a renamed brand is a new value of the facet', async () => {
    const before = (await search()).facets.brand.find(({ value }) => value === 'Everlast')?.count
    await write(`UPDATE shop.brand SET name = 'Everlasting' WHERE name = 'Everlast'`)
    const { facets } = await search()
    expect(facets.brand).toContainEqual({ value: 'Everlasting', count: before })
    expect(facets.brand.map(({ value }) => value)).not.toContain('Everlast')
  })

  test('a new product with its tags, in one transaction', async () => {
    await write(`
      WITH added AS (INSERT INTO shop.product (name, price, brand_id, category_id) VALUES ('Zither', 300, 1, 9) RETURNING id)
      INSERT INTO shop.product_tag SELECT added.id, tag.id FROM added, shop.tag WHERE tag.name IN ('gift', 'new')`)
    expect((await search({ q: 'zither' })).products).toMatchObject([
      { tags: ['gift', 'new'], category: { name: 'Backpacks', parent: 'Travel' } },
    ])
  })
})

test('a second start finds all of it there', async () => {
  const second = await open()
  expect(second.installed).toMatchObject({ steps: [], runs: [] })
  await second.close()
})

test('the commands of the README do what it says', async () => {
  const readme = await readFile(new URL('README.md', import.meta.url), 'utf8')
  const commands = [...readme.matchAll(/^curl (.*)$/gm)].map(([, command = '']) => command)
  expect(commands).toHaveLength(7)
  for (const command of commands) {
    const payload = /-d '([^']*)'/.exec(command)?.[1]
    const answer = await shop.app.inject({
      method: (/-X (\w+)/.exec(command)?.[1] ?? 'GET') as 'GET',
      url: /'http:\/\/127\.0\.0\.1:3000([^']*)'$/.exec(command)?.[1] ?? 'none',
      ...(payload === undefined ? {} : { payload, headers: { 'content-type': 'application/json' } }),
    })
    expect({ command, code: answer.statusCode }).toEqual({ command, code: 200 })
    const { total, searchable } = answer.json()
    expect({ command, shown: searchable ?? total > 0 }).toEqual({ command, shown: true })
  }
})
