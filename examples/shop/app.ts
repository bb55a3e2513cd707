import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify'
import type pg from 'pg'
import { type Sluice, TimeoutError } from '../../src/index.ts' // in your project: from 'sluice'
import { type Query, searchProducts } from './search.ts'

export interface ShopParts {
  readonly pool: pg.Pool
  readonly sluice: Sluice
  /** URL of the cluster. */
  readonly elasticsearch: string
  /** The alias that searches use. */
  readonly index: string
  /** Least level of what is logged; 'silent' for nothing. */
  readonly logLevel: string
  /** Milliseconds that an answer may wait for its own change to be found. */
  readonly searchableWithinMs: number
}

/** The shop over HTTP: searches ask Elasticsearch, changes go to Postgres alone, and sluice does the rest. */
export function buildApp({
  pool,
  sluice,
  elasticsearch,
  index,
  logLevel,
  searchableWithinMs,
}: ShopParts): FastifyInstance {
  const app = fastify({
    logger: { level: logLevel },
    // An unknown property is an error of the caller, not something to forget.
    ajv: { customOptions: { removeAdditional: false } },
  })
  logEvents(sluice, app.log)

  app.get<{ Querystring: Query }>('/products', { schema: { querystring: querySchema } }, ({ query }) =>
    searchProducts(elasticsearch, index, query),
  )

  app.patch<{ Params: Id; Body: Change }>(
    '/products/:id',
    { schema: { params: idSchema, body: changeSchema } },
    async ({ params: { id }, body: { name, description, price } }, reply) => {
      const { rows } = await pool.query(
        `UPDATE shop.product
            SET name = coalesce($2, name), description = coalesce($3, description), price = coalesce($4, price),
                updated_at = now()
          WHERE id = $1 AND deleted_at IS NULL RETURNING id, name, description, price`,
        [id, name, description, price],
      )
      return changed(reply, id, rows[0])
    },
  )

  // Soft-deleted: the row stays, its document goes; and comes again.
  app.delete<{ Params: Id }>(
    '/products/:id',
    { schema: { params: idSchema } },
    async ({ params: { id } }, reply) => {
      const { rows } = await pool.query(
        'UPDATE shop.product SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id, deleted_at',
        [id],
      )
      return changed(reply, id, rows[0])
    },
  )
  app.post<{ Params: Id }>(
    '/products/:id/restore',
    { schema: { params: idSchema } },
    async ({ params: { id } }, reply) => {
      const { rows } = await pool.query(
        'UPDATE shop.product SET deleted_at = NULL WHERE id = $1 AND deleted_at IS NOT NULL RETURNING id',
        [id],
      )
      return changed(reply, id, rows[0])
    },
  )

  app.post<{ Params: Id; Body: Review }>(
    '/products/:id/reviews',
    { schema: { params: idSchema, body: reviewSchema } },
    async ({ params: { id }, body: { stars, text } }, reply) => {
      const { rows } = await pool.query(
        `INSERT INTO shop.review (product_id, stars, text, approved)
         SELECT id, $2, $3, true FROM shop.product WHERE id = $1 AND deleted_at IS NULL RETURNING id, stars, text`,
        [id, stars, text],
      )
      return changed(reply, id, rows[0])
    },
  )

  /** Answers 200 when the change is found by searches; 202 where that takes too long, for it is committed anyway. */
  async function changed(reply: FastifyReply, id: number, row: object | undefined): Promise<object> {
    if (row === undefined) return reply.code(404).send({ error: `there is no product ${id} like that` })
    try {
      const { dead } = await sluice.synced(await sluice.token(), {
        document: 'product',
        timeout: searchableWithinMs,
        refresh: true,
      })
      const refused = dead.find((one) => one.id === String(id))
      return refused === undefined
        ? { ...row, searchable: true }
        : reply.code(202).send({ ...row, searchable: false, reason: refused.reason })
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      return reply.code(202).send({ ...row, searchable: false, reason: error.message })
    }
  }
  return app
}

/** What sluice says goes where the application's own log goes. */
function logEvents(sluice: Sluice, log: FastifyBaseLogger): void {
  sluice.on('state', ({ state, reason }) => log.info({ reason }, `sluice: ${state}`))
  sluice.on('log', ({ level, message, time: _, ...about }) => log[level](about, `sluice: ${message}`))
  sluice.on('batch', ({ document, done, failed, givenBack, reason }) => {
    const about = { document, done, failed, givenBack, reason }
    if (failed + givenBack > 0) log.warn(about, 'sluice: not all of a batch')
    else log.debug(about, 'sluice: a batch')
  })
}

type Id = { readonly id: number }
type Change = { readonly name?: string; readonly description?: string; readonly price?: number }
type Review = { readonly stars: number; readonly text: string }

const values = { type: 'array', items: { type: 'string' }, maxItems: 20 }
const price = { type: 'number', minimum: 0, maximum: 999_999 }
const querySchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    q: { type: 'string', minLength: 1, maxLength: 200 },
    brand: values,
    category: values,
    tag: values,
    minPrice: price,
    maxPrice: price,
    // Elasticsearch goes 10,000 deep, and so does nobody who looks for a kettle.
    page: { type: 'integer', minimum: 1, maximum: 500, default: 1 },
  },
}
const idSchema = {
  type: 'object',
  properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } },
}
const changeSchema = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 200 },
    description: { type: 'string', maxLength: 10_000 },
    price,
  },
}
const reviewSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['stars', 'text'],
  properties: {
    stars: { type: 'integer', minimum: 1, maximum: 5 },
    text: { type: 'string', minLength: 1, maxLength: 10_000 },
  },
}
