import type { FastifyRequest } from 'fastify'
import { beginAudit, endAudit } from '../queue/write-audit.ts'
import type { Answered, Endpoint } from './endpoint.ts'
import { refusalOf } from './errors.ts'
import type { Admin } from './types.ts'

/**
 * Does a change between two writes to `sync_audit`: who asks, for what, from where; then what came of it. In the database, and
 * not in the log alone: there it is with what was changed, one place for all instances, and not at the level somebody has set.
 * What is refused before it comes here (no token, a foreign host) is in the log alone, or anybody could fill the table.
 */
export async function audited(
  admin: Admin,
  endpoint: Endpoint,
  request: FastifyRequest,
  who: string,
  change: () => Promise<Answered>,
): Promise<Answered> {
  const { pool, schema, instance, log, ending } = admin
  const action = `${endpoint.method} ${endpoint.path}`
  const [subject = null] = Object.values(request.params as Readonly<Record<string, string>>)
  const entry = {
    instance,
    who,
    address: request.ip,
    requestId: request.id,
    action,
    subject,
    asked: request.body,
  }
  const id = await beginAudit(pool, schema, entry)
  const end = async (status: number, outcome: string) => {
    log.info({ who, action, subject, from: request.ip, requestId: request.id, status, outcome }, 'change')
    // It is done whether this is written or not; without it the entry says that nobody knows how it ended.
    await endAudit(pool, schema, id, { status, outcome }).catch((error: unknown) =>
      log.warn({ requestId: request.id, reason: String(error) }, 'the end of a change was not audited'),
    )
  }
  const changeAndSay = async () => {
    try {
      const answered = await change()
      await end(answered.status, 'done')
      return answered
    } catch (error) {
      const { status, answer } = refusalOf(error, request.id)
      await end(status, answer.error.code)
      throw error
    }
  }
  return ending.during(changeAndSay, () => end(503, 'unknown'))
}
