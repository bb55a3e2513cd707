import type { ClientRequest } from 'node:http'
import type pg from 'pg'
import { cleanJson } from '../../src/documents/clean-json.ts'
import { addressOf, protocolOf } from './address.ts'

/**
 * The ceiling: the same documents, sent by somebody who has nothing else to do. Bodies are encoded before the clock
 * starts, 1.5 MiB each, three in flight, external versions, the shortest answer there is.
 */

const BODY_BYTES = 1.5 * 1024 * 1024
const IN_FLIGHT = 3

export interface RawDocuments {
  readonly bodies: readonly Buffer[]
  readonly count: number
}

/** Documents as sluice would send them, out of its own view, as bulk bodies for `sendRaw`. */
export async function readDocuments(pool: pg.Pool, view: string): Promise<RawDocuments> {
  const client = await pool.connect()
  try {
    await client.query(
      `BEGIN; SET LOCAL timezone = 'UTC'; DECLARE documents CURSOR FOR SELECT key, document FROM ${view}`,
    )
    const bodies: Buffer[] = []
    let count = 0
    let body = ''
    for (;;) {
      const { rows } = await client.query<{ key: string; document: string }>('FETCH 2000 FROM documents')
      for (const { key, document } of rows) {
        body += `{"index":{"_id":${JSON.stringify(key)},"version":1,"version_type":"external_gte"}}\n${cleanJson(Buffer.from(document))}\n`
        if (body.length < BODY_BYTES) continue
        bodies.push(Buffer.from(body))
        body = ''
      }
      count += rows.length
      if (rows.length === 0) break
    }
    if (body !== '') bodies.push(Buffer.from(body))
    await client.query('COMMIT')
    return { bodies, count }
  } finally {
    client.release()
  }
}

/** Sends all bodies to an index; documents a second. */
export async function sendRaw(url: string, index: string, { bodies, count }: RawDocuments): Promise<number> {
  const { Agent, request } = protocolOf(url)
  const { origin, headers } = addressOf(url)
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT })
  const target = new URL(`/${index}/_bulk?filter_path=errors`, origin)
  const started = performance.now()
  try {
    const rest = bodies.values()
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        for (const body of rest) {
          const type = { 'content-type': 'application/x-ndjson', 'content-length': body.length }
          const outgoing = request(target, { method: 'POST', agent, headers: { ...headers, ...type } })
          await sendOne(outgoing, body)
        }
      }),
    )
  } finally {
    agent.destroy()
  }
  return (count * 1000) / (performance.now() - started)
}

function sendOne(outgoing: ClientRequest, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    outgoing.on('response', (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        if (incoming.statusCode === 200 && text === '{"errors":false}') resolve()
        else reject(new Error(`raw bulk: ${incoming.statusCode} ${text.slice(0, 500)}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
