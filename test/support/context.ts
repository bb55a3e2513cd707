import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export { eventually } from './eventually.ts'

export interface TestDatabase {
  readonly url: string
  readonly pool: pg.Pool
  /** Closes the pool and drops the database, other connections to it included. */
  drop(): Promise<void>
}

/**
 * A fresh database, in the run's Postgres by default. Its time zone is an odd one, so that a timestamp which leaves in
 * anything but UTC is noticed.
 */
export async function testDatabase(server = inject('postgresUrl')): Promise<TestDatabase> {
  const name = `sluice_test_${uniqueSuffix()}`
  await administer(server, `CREATE DATABASE ${name}`)
  await administer(server, `ALTER DATABASE ${name} SET timezone TO 'Asia/Kathmandu'`)
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href
  const pool = new pg.Pool({ connectionString: url, max: 5 })
  // Tests crash servers and terminate backends: the next query says so, an idle client's death needs nobody.
  pool.on('error', () => {})
  return {
    url,
    pool,
    drop: async () => {
      await pool.end()
      await administer(server, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

export interface TestElasticsearch {
  readonly url: string
  /** Begin the names of indices, aliases and templates with this, and `drop` finds them. */
  readonly prefix: string
  /** Sends a request and returns the answer's JSON, whatever its status. */
  request(method: string, path: string, body?: unknown): Promise<unknown>
  /** As somebody would by hand, under a name that sluice's template guards against creation by accident. */
  createIndex(
    name: string,
    body: { readonly mappings?: object; readonly settings?: object; readonly aliases?: object },
  ): Promise<unknown>
  /** Removes all indices (their aliases with them) and index templates of the prefix. */
  drop(): Promise<void>
}

/** The run's Elasticsearch, with an index prefix of its own. */
export function testElasticsearch(url: string = inject('elasticsearchUrl')): TestElasticsearch {
  const prefix = `t${uniqueSuffix()}-`
  const request = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(new URL(path, url), {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return text === '' ? null : JSON.parse(text)
  }
  const isOpenSearch = url === inject('elasticsearchUrl') && inject('searchProduct') === 'opensearch'
  return {
    url,
    prefix,
    request,
    createIndex: (name, body) => {
      const settings = { ...body.settings, ...(isOpenSearch && { 'index.sort.field': [] }) }
      return request('PUT', `/${name}?wait_for_active_shards=0`, { ...body, settings })
    },
    drop: async () => {
      await request('DELETE', `/${prefix}*?expand_wildcards=all&ignore_unavailable=true`)
      // One at a time: of several patterns, one without a match fails the request.
      await request('DELETE', `/_index_template/${prefix}*`)
      await request('DELETE', `/_index_template/sluice-${prefix}*`)
    },
  }
}

function uniqueSuffix(): string {
  return randomBytes(5).toString('hex')
}

async function administer(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
