import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isLoopback } from '../config/plaintext.ts'
import type { AdminSettings } from '../config/types.ts'
import { HttpError } from './errors.ts'
import { isCrossOrigin, isOurHost } from './hosts.ts'
import { fingerprintOf, judgeToken } from './token.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whoever asks: the token's fingerprint, or `loopback` for a read without one. */
    who: string
  }
}

/** Turns away what must not come in, before a body is read. The rate limit of changes comes between the two (app.ts). */
export function addGuard(app: FastifyInstance, settings: AdminSettings): void {
  app.decorateRequest('who', '')
  app.addHook('onRequest', async (request) => {
    if (!isOurHost(request.headers.host, settings)) {
      throw new HttpError(421, 'wrong-host', 'this host does not go by that name', {
        remedy: 'Use its address, or name it in ADMIN_HOSTS.',
      })
    }
    if (request.method !== 'GET') assertNoForeignPage(request)
  })
  // After the rate limit, so that it counts guesses, too.
  app.addHook('preParsing', async (request) => {
    request.who = admit(request, settings)
    if (request.method !== 'GET') assertJson(request)
  })
}

function assertNoForeignPage({ headers }: FastifyRequest): void {
  const { host, origin, 'sec-fetch-site': site } = headers
  const sender = { host, origin, site: typeof site === 'string' ? site : undefined }
  if (isCrossOrigin(sender)) {
    throw new HttpError(403, 'forbidden', 'changes are not taken from pages of another origin')
  }
}

/** What a form can send without asking is none. */
function assertJson({ headers }: FastifyRequest): void {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() === 'application/json') return
  throw new HttpError(415, 'bad-request', 'a change is asked for in JSON: Content-Type: application/json')
}

/** Who it is. Throws where that is nobody who may. */
function admit({ headers, method }: FastifyRequest, { token, host }: AdminSettings): string {
  const shown = judgeToken(headers.authorization, token)
  if (shown === 'right' && token !== null) return fingerprintOf(token)
  if (shown === 'wrong') throw new HttpError(401, 'unauthorized', 'that is not the token')
  if (method === 'GET' && isLoopback(host)) return 'loopback'
  if (token === null) {
    throw new HttpError(403, 'forbidden', 'nothing can be changed over HTTP, for no token is set', {
      remedy: 'Set ADMIN_TOKEN (openssl rand -hex 32), and restart.',
    })
  }
  throw new HttpError(401, 'unauthorized', 'a token is needed', {
    remedy: 'Authorization: Bearer <ADMIN_TOKEN>',
  })
}
