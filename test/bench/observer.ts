import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { addressOf, asUserOf, protocolOf } from './address.ts'

/** A `_bulk` request and its answer, as they passed. */
export interface BulkExchange {
  readonly body: string
  readonly status: number
  readonly answer: string
  /** When the answer's last byte had come from Elasticsearch, before it was passed on; monotonic milliseconds. */
  readonly answeredAt: number
}

export interface Observer {
  /** What the daemon is given for ELASTICSEARCH_URL. */
  readonly url: string
  close(): Promise<void>
}

/** A proxy before Elasticsearch that changes nothing and shows every bulk exchange, by this process's clock. */
export async function startObserver(
  target: string,
  onBulk: (exchange: BulkExchange) => void,
): Promise<Observer> {
  const { Agent, request } = protocolOf(target)
  const { origin } = addressOf(target)
  const agent = new Agent({ keepAlive: true })
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await collect(incoming)
    const path = incoming.url ?? '/'
    const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...rest } = incoming.headers
    const headers = { ...rest, 'content-length': body.length }
    const onward = request(new URL(path, origin), { method: incoming.method ?? 'GET', headers, agent })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      onward.on('response', resolve)
      onward.on('error', reject)
    })
    onward.end(body)
    const response = await answered
    const answer = await collect(response)
    const answeredAt = performance.now()
    const status = response.statusCode ?? 502
    outgoing.writeHead(status, {
      'content-type': response.headers['content-type'] ?? 'application/json',
      'content-length': answer.length,
    })
    outgoing.end(answer)
    if (!path.startsWith('/_bulk')) return
    onBulk({ body: body.toString(), status, answer: answer.toString(), answeredAt })
  }
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: asUserOf(target, `http://127.0.0.1:${port}`),
    close: () =>
      new Promise((resolve) => {
        agent.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
