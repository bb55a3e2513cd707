import helmet from '@fastify/helmet'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { explain } from '../answers/explain.ts'
import { describeError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { audited } from './audit.ts'
import { addDashboard } from './dashboard.ts'
import type { Endpoint } from './endpoint.ts'
import { endpoints } from './endpoints.ts'
import { HttpError, refusalOf } from './errors.ts'
import { addGuard } from './guard.ts'
import { httpErrorJson } from './json.ts'
import { openapi } from './openapi.ts'
import { assertStorable } from './storable.ts'
import type { Admin } from './types.ts'

/** The largest change is a few ids. */
const BODY_LIMIT = 64 * 1024

/**
 * The pages as a fastify application that listens to nothing: server.ts hands it the requests. Fastify's own validation and serialization are not used:
 * each endpoint reads its request and checks its answer with zod, as the commands do.
 */
export async function adminApp(admin: Admin): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    // Of X-Forwarded-For what a proxy of ours has added, and nothing that it was sent.
    trustProxy: admin.settings.trustedProxies.length === 0 ? false : [...admin.settings.trustedProxies],
    exposeHeadRoutes: false,
    genReqId: () => crypto.randomUUID(),
    // A request that meets the end on an open connection is answered as any other, and is its last.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: (error, request, reply) => refuse(admin, error, request, reply),
  })
  app.setErrorHandler((error, request, reply) => refuse(admin, error, request, reply))
  app.setNotFoundHandler(() => {
    throw new HttpError(404, 'not-found', 'there is no such page', { remedy: 'GET /api/openapi.json' })
  })
  addAccessLog(app, admin)
  await addGuard(app, admin.settings)
  await app.register(helmet, {
    // Answers are no pages: no scripts, no frames, no forms. The one page has a policy of its own (dashboard.ts).
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
    },
    // Whether it is reached by https is the business of the proxy that does that.
    strictTransportSecurity: false,
  })
  takeEmptyBodies(app)
  for (const endpoint of endpoints) addEndpoint(app, admin, endpoint)
  addDashboard(app, admin)
  const document = openapi(endpoints)
  app.get('/api/openapi.json', async (_request, reply) =>
    reply.header('cache-control', 'no-store').send(document),
  )
  return app
}

function addEndpoint(app: FastifyInstance, admin: Admin, endpoint: Endpoint): void {
  const { method, path } = endpoint
  app.route({
    method,
    url: path,
    handler: async (request, reply) => {
      const { params, query, body, who } = request
      assertStorable(params, 'of the path')
      assertStorable(query, 'of the query')
      assertStorable(body, 'of the body')
      const received = { params, query, body, who: `http ${who}` }
      const answer = async () => {
        try {
          return await endpoint.handle(admin, received)
        } catch (error) {
          throw brokenOff(error, admin) ?? explain(error, admin.postgres)
        }
      }
      const answered = await (method === 'POST' ? audited(admin, endpoint, request, who, answer) : answer())
      reply.code(answered.status).header('cache-control', 'no-store')
      if (answered.contentType !== undefined) reply.type(answered.contentType)
      if (answered.headers !== undefined) reply.headers(answered.headers)
      return reply.send(answered.body)
    },
  })
}

/** What a statement comes to that the end of the server has cancelled; null: it is none. */
function brokenOff(error: unknown, { ending }: Admin): HttpError | null {
  if (!ending.isCut || sqlState(error) !== QUERY_CANCELED) return null
  return new HttpError(503, 'unreachable', 'this instance stops, and what was asked for was broken off', {
    remedy: 'Ask another instance, or this one when it is back.',
  })
}

/** SQLSTATE */
const QUERY_CANCELED = '57014'

/** `curl -X POST` with the header and nothing else means `{}`. */
function takeEmptyBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, {})
    else parse(request, String(body), done)
  })
}

/** Changes and refusals are told; that somebody looks, or scrapes every few seconds, only to whoever debugs. */
function addAccessLog(app: FastifyInstance, { log }: Admin): void {
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method, id: requestId, ip: from, who } = request
    const { statusCode: status } = reply
    // The route and not the address: that may hold anything.
    const route = request.routeOptions.url ?? null
    const level = status >= 500 || status === 401 || status === 403 || status === 421 ? 'warn' : 'info'
    log[method === 'GET' && status < 400 ? 'debug' : level](
      { method, route, status, ms: Math.round(reply.elapsedTime * 10) / 10, requestId, from, who },
      'request',
    )
  })
}

function refuse(admin: Admin, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, answer, unexpected } = refusalOf(error, request.id)
  if (unexpected) admin.log.error({ requestId: request.id, reason: describeError(error) }, 'request failed')
  if (error instanceof HttpError && error.retryAfterSeconds !== undefined)
    reply.header('retry-after', error.retryAfterSeconds)
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="sluice"')
  reply.code(status).header('cache-control', 'no-store').send(httpErrorJson.parse(answer))
}
