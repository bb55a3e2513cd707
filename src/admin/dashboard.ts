import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Asset, readAssets } from './assets.ts'
import { HttpError } from './errors.ts'
import { feedOf } from './feed.ts'
import type { Admin } from './types.ts'

/**
 * Scripts and styles are files of ours, and talk to nobody else. Nothing may be made of text but text: where a script tried to
 * make HTML of it, the browser refuses (trusted types).
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** `GET /` and the files that it is made of. They are the same for everybody, and served without a token. */
export function addDashboard(app: FastifyInstance, admin: Admin): void {
  let reading: Promise<ReadonlyMap<string, Asset>> | undefined
  const serve = async (name: string, request: FastifyRequest, reply: FastifyReply) => {
    // Not before somebody looks: a daemon that nobody watches pays nothing.
    reading ??= readAssets()
    const asset = (await reading).get(name)
    if (asset === undefined) throw new HttpError(404, 'not-found', 'there is no such file of the dashboard')
    return send(asset, request, reply)
  }
  const config = { public: true } as const
  app.get('/', { config }, (request, reply) => serve('index.html', request, reply))
  app.get<{ Params: { file: string } }>('/dashboard/:file', { config }, (request, reply) =>
    serve(request.params.file, request, reply),
  )
  // A stream has no end of its own, and would keep the server from closing.
  app.addHook('preClose', async () => feedOf(admin).close())
}

function send(asset: Asset, { headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({
    'content-security-policy': POLICY,
    // Kept, and asked about each time: another version may be running.
    'cache-control': 'no-cache',
    etag: asset.etag,
    vary: 'accept-encoding',
  })
  if (headers['if-none-match'] === asset.etag) return reply.code(304).send()
  reply.type(asset.type)
  if (!/\bgzip\b/.test(headers['accept-encoding'] ?? '')) return reply.send(asset.body)
  return reply.header('content-encoding', 'gzip').send(asset.gzipped)
}
