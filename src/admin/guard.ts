import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isLoopback } from '../config/plaintext.ts'
import type { AdminSettings } from '../config/types.ts'
import { HttpError } from './errors.ts'
import { Guesses } from './guesses.ts'
import { isCrossOrigin, isOurHost } from './hosts.ts'
import { fingerprintOf, judgeToken } from './token.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whoever asks: the token's fingerprint, `loopback` for a read without one, `anybody` for a file of the dashboard. */
    who: string
  }
  interface FastifyContextConfig {
    /** Holds nothing of anybody's: files of the package, which a browser asks for before there is a token to show. */
    public?: true
  }
}

/** In a minute and from one address, all routes together. A person clicks less, a script that repairs waits. */
const CHANGES_A_MINUTE = 60

/** Turns away what must not come in, before a body is read. */
export async function addGuard(app: FastifyInstance, settings: AdminSettings): Promise<void> {
  await app.register(rateLimit, { global: false })
  const limited = app.createRateLimit({ max: CHANGES_A_MINUTE, timeWindow: 60_000 })
  const guesses = new Guesses()
  app.decorateRequest('who', '')
  app.addHook('onRequest', async (request) => {
    if (!isOurHost(request.headers.host, settings)) {
      throw new HttpError(421, 'wrong-host', 'this host does not go by that name', {
        remedy: 'Use its address, or name it in ADMIN_HOSTS.',
      })
    }
    if (request.method === 'GET') return
    assertNoForeignPage(request)
    assertSeldom(await limited(request))
  })
  app.addHook('preParsing', async (request) => {
    request.who = request.routeOptions.config.public === true ? 'anybody' : admit(request, settings, guesses)
    if (request.method !== 'GET') assertJson(request)
  })
}

type Rate = Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>

function assertSeldom(rate: Rate): void {
  if (rate.isAllowed || !rate.isExceeded) return
  throw tooMany(`more than ${CHANGES_A_MINUTE} changes in a minute`, rate.ttlInSeconds)
}

function assertNoGuessing(waitSeconds: number): void {
  if (waitSeconds > 0) throw tooMany('too many wrong tokens from this address', waitSeconds)
}

function tooMany(what: string, waitSeconds: number): HttpError {
  return new HttpError(429, 'too-many-requests', what, {
    remedy: `Wait for ${waitSeconds} seconds.`,
    retryAfterSeconds: waitSeconds,
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

const SET_TOKEN = 'Set ADMIN_TOKEN (openssl rand -hex 32), and restart.'

/** Who it is. Throws where that is nobody who may. */
function admit(request: FastifyRequest, { token, host }: AdminSettings, guesses: Guesses): string {
  const { headers, method, ip } = request
  if (headers.authorization !== undefined) assertNoGuessing(guesses.waitSeconds(ip, performance.now()))
  const shown = judgeToken(headers.authorization, token)
  if (shown === 'right' && token !== null) return fingerprintOf(token)
  if (shown === 'wrong') {
    guesses.note(ip, performance.now())
    const problem = 'that is not the token'
    if (token !== null) throw new HttpError(401, 'unauthorized', problem)
    throw new HttpError(401, 'unauthorized', `${problem}, for none is set`, { remedy: SET_TOKEN })
  }
  if (method === 'GET' && isLoopback(host) && isLoopback(ip)) return 'loopback'
  if (token === null) {
    throw new HttpError(403, 'forbidden', 'nothing can be changed over HTTP, for no token is set', {
      remedy: SET_TOKEN,
    })
  }
  throw new HttpError(401, 'unauthorized', 'a token is needed', {
    remedy: 'Authorization: Bearer <ADMIN_TOKEN>',
  })
}
