import type { z } from 'zod'
import { SluiceError } from '../errors.ts'
import type { httpErrorJson } from './json.ts'

export type ErrorAnswer = z.infer<typeof httpErrorJson>
type Code = ErrorAnswer['error']['code']

/** Says over HTTP why something was not done. */
export class HttpError extends Error {
  readonly status: number
  readonly code: Code
  readonly remedy: string | undefined
  /** The run that is in the way. */
  readonly run: string | undefined
  /** For the header Retry-After. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    status: number,
    code: Code,
    message: string,
    details: {
      readonly remedy?: string | undefined
      readonly run?: string
      readonly retryAfterSeconds?: number
    } = {},
  ) {
    super(message)
    this.name = 'HttpError'
    this.status = status
    this.code = code
    this.remedy = details.remedy
    this.run = details.run
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

export interface Refusal {
  readonly status: number
  readonly answer: ErrorAnswer
  /** Nobody has foreseen it: for the log, and not for whoever asked. */
  readonly unexpected: boolean
}

/** Status and answer of an error. What is none of ours is told by its request's id alone: it may quote anything. */
export function refusalOf(error: unknown, requestId: string): Refusal {
  if (error instanceof HttpError) {
    const { status, code, message, remedy, run } = error
    return refusal(status, { code, message, remedy }, run)
  }
  if (error instanceof SluiceError) {
    const { code, message, remedy } = error
    return refusal(statusOf(error), { code, message, remedy })
  }
  const foreseen = frameworkRefusal(error)
  if (foreseen !== null) return foreseen
  const message = `something went wrong here; the log has it under request ${requestId}`
  return { status: 500, answer: { error: { code: 'internal', message } }, unexpected: true }
}

function refusal(
  status: number,
  {
    remedy,
    ...error
  }: { readonly code: Code; readonly message: string; readonly remedy: string | undefined },
  run?: string,
): Refusal {
  const answer = {
    error: { ...error, ...(remedy === undefined ? {} : { remedy }) },
    ...(run === undefined ? {} : { run }),
  }
  return { status, answer, unexpected: false }
}

function statusOf({ code }: SluiceError): number {
  switch (code) {
    case 'usage':
    case 'config':
      return 400
    case 'failed':
    case 'document-query':
      return 409
    case 'unreachable':
    case 'schema':
      return 503
  }
}

/** What fastify refuses before it comes to us: a body that is too large or no JSON, a URL that is none. */
function frameworkRefusal(error: unknown): Refusal | null {
  if (!(error instanceof Error) || !('statusCode' in error)) return null
  const status = Number(error.statusCode)
  if (!(status >= 400 && status < 500)) return null
  const code = status === 429 ? 'too-many-requests' : 'bad-request'
  return refusal(status, { code, message: WORDS[status] ?? 'the request cannot be read', remedy: undefined })
}

/** Our own words: those of a parser may quote what it was given. */
const WORDS: Readonly<Record<number, string>> = {
  400: 'the request cannot be read: is its body JSON?',
  413: 'the body is too large',
  415: 'a change is asked for in JSON: Content-Type: application/json',
  429: 'too many changes in a minute',
}
