import type { z } from 'zod'
import { UsageError } from '../errors.ts'
import { HttpError } from './errors.ts'
import type { Admin } from './types.ts'

/**
 * One page: what it takes, what it answers, and how. From these both the server (app.ts) and the OpenAPI document
 * (openapi.ts) are made, so that neither says what the other does not know.
 */
export interface Endpoint {
  readonly method: 'GET' | 'POST'
  /** `/api/runs/:id` */
  readonly path: string
  readonly summary: string
  readonly params: z.ZodObject | null
  readonly query: z.ZodObject | null
  readonly body: z.ZodObject | null
  /** Statuses of an answer that is no error, the usual one first. */
  readonly statuses: readonly [number, ...number[]]
  /** What such an answer is; null: text. */
  readonly answer: z.ZodType | null
  /** Of a text, as documented; default: text/plain. */
  readonly contentType?: string
  /** Of a stream: what each of its events holds, as JSON. */
  readonly event?: z.ZodType
  readonly handle: (admin: Admin, request: Received) => Promise<Answered>
}

/** A request as it came. */
export interface Received {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  /** Whoever asks, for `sync_run.requested_by`. */
  readonly who: string
}

export interface Answered {
  readonly status: number
  /** Checked by `answer`. */
  readonly body: unknown
  /** Of a text. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Shape<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Answer extends z.ZodType,
> {
  readonly path: string
  readonly summary: string
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  readonly answer: Answer
  /** Default: 200 alone. */
  readonly statuses?: readonly [number, ...number[]]
  /** Which of them; default: the first. */
  readonly statusOf?: (answer: z.output<Answer>) => number
  readonly handle: (admin: Admin, asked: Asked<Params, Query, Body>) => Promise<z.input<Answer>>
}

/** What was asked for, checked. */
interface Asked<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodObject> {
  readonly params: z.output<Params>
  readonly query: z.output<Query>
  readonly body: z.output<Body>
  readonly who: string
}

/** A page that only reads. */
export function get<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Answer extends z.ZodType,
>(shape: Shape<Params, Query, Body, Answer>): Endpoint {
  return endpoint('GET', shape)
}

/** A change: it needs the token, is limited in its rate, and audited. */
export function post<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Answer extends z.ZodType,
>(shape: Shape<Params, Query, Body, Answer>): Endpoint {
  return endpoint('POST', shape)
}

function endpoint<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodObject,
  Answer extends z.ZodType,
>(method: Endpoint['method'], shape: Shape<Params, Query, Body, Answer>): Endpoint {
  const { path, summary, params, query, body, answer, statuses = [200], statusOf, handle } = shape
  return {
    method,
    path,
    summary,
    params: params ?? null,
    query: query ?? null,
    body: body ?? null,
    statuses,
    answer,
    handle: async (admin, received) => {
      const asked = {
        params: params === undefined ? undefined : read(params, received.params, 'of the path', 404),
        query: query === undefined ? undefined : read(query, received.query, 'of the query', 400),
        body: body === undefined ? undefined : read(body, received.body ?? {}, 'of the body', 400),
        who: received.who,
      } as Asked<Params, Query, Body>
      // An answer that is not what it is said to be is a fault of ours, and told as one.
      const checked = answer.parse(await handle(admin, asked))
      return { status: statusOf?.(checked) ?? statuses[0], body: checked }
    },
  }
}

/** Names what is wrong, and quotes nothing. */
function read<Schema extends z.ZodObject>(
  schema: Schema,
  value: unknown,
  where: string,
  status: 400 | 404,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const known = Object.keys(schema.shape).join(', ')
  if (issue?.code === 'unrecognized_keys') {
    throw new UsageError(`${issue.keys.join(', ')} is not known`, {
      where,
      remedy: known === '' ? 'It takes none.' : `Known are: ${known}.`,
    })
  }
  const what =
    `${issue?.path.join('.') ?? ''} ${where}: ${issue?.message ?? 'is not what is expected'}`.trim()
  throw status === 404 ? new HttpError(404, 'not-found', what) : new UsageError(what)
}
