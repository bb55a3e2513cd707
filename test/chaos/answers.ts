import type { Fault, FaultProxy, FaultyRequest } from '../support/fault-proxy.ts'
import type { Refusal } from '../support/refused-items.ts'
import type { Disturber } from './disturber.ts'
import type { Random } from './random.ts'

/** Answers that a real server cannot be made to give at will, and answers that get lost. */

export const busy: Refusal = {
  status: 429,
  error: {
    type: 'es_rejected_execution_exception',
    reason: 'rejected execution of coordinating operation [coordinating_and_primary_bytes=0]',
  },
}
export const broken: Refusal = {
  status: 429,
  error: { type: 'circuit_breaking_exception', reason: '[parent] Data too large' },
}
export const unavailable: Refusal = {
  status: 503,
  error: { type: 'unavailable_shards_exception', reason: 'primary shard is not active Timeout: [1m]' },
}

export const page503: Fault = {
  kind: 'answer',
  status: 503,
  body: '<html><body>503 Service Unavailable</body></html>',
}

/** Of a whole request, as Elasticsearch says it. */
export function refusalOf({ status, error }: Refusal): Fault {
  const body = JSON.stringify({ error: { root_cause: [error], ...error }, status })
  return { kind: 'answer', status, contentType: 'application/json', body }
}

export type WayToLose = Extract<Fault, { kind: 'reset-after' | 'cut-off' | 'hang-after' | 'late' }>

/** An answer that gets lost after the request was carried out, or before it is. */
export function wayToLose(random: Random): WayToLose {
  const dice = random.next()
  if (dice < 0.4) return { kind: 'reset-after' }
  if (dice < 0.7) return { kind: 'cut-off' }
  if (dice < 0.8) return { kind: 'hang-after' }
  // Mostly when the same keys have been sent again: the document waits for up to half a second first.
  return { kind: 'late', ms: random.int(0, 1_500) }
}

/** Larger than any document of the crash test, and smaller than many a request. */
const ACCEPTED_BYTES = 20_000

type FaultOf = (request: FaultyRequest) => Fault | null

/** For as long as it lasts, requests to `path` are answered so; null: this one passes. */
interface Period {
  readonly path: string
  readonly fault: Fault | FaultOf
}

const unauthorized: Refusal = {
  status: 401,
  error: { type: 'security_exception', reason: 'unable to authenticate with provided credentials' },
}
const forbidden: Refusal = {
  status: 403,
  error: { type: 'security_exception', reason: 'action [indices:data/write/bulk] is unauthorized' },
}

const periods = {
  'lost answers': (random) => ({
    path: '/_bulk',
    fault: () => (random.chance(0.2) ? wayToLose(random) : null),
  }),
  'refused items': (random) => ({
    path: '/_bulk',
    fault: {
      kind: 'refuse-items',
      refusal: () => (random.chance(0.3) ? random.pick([busy, broken, unavailable]) : null),
    },
  }),
  'refused requests': (random) => ({
    path: '/_bulk',
    fault: () => (random.chance(0.5) ? random.pick([page503, refusalOf(busy), refusalOf(broken)]) : null),
  }),
  'too large': () => ({
    path: '/_bulk',
    fault: ({ bytes }) =>
      bytes > ACCEPTED_BYTES ? { kind: 'answer', status: 413, body: '413 Request Entity Too Large' } : null,
  }),
  // As after a change of the credential, of which the daemons were not told.
  'credential refused': () => ({ path: '/', fault: refusalOf(unauthorized) }),
  'writing forbidden': () => ({ path: '/_bulk', fault: refusalOf(forbidden) }),
  'another product': () => ({
    path: '/',
    fault: { kind: 'answer', status: 200, body: '<html><body>Welcome to nginx!</body></html>' },
  }),
  slow: (random) => ({ path: '/', fault: () => ({ kind: 'slow', ms: random.int(0, 800) }) }),
} as const satisfies Record<string, (random: Random) => Period>

const kinds = Object.keys(periods) as [keyof typeof periods, ...(keyof typeof periods)[]]

export function badAnswers(proxy: FaultProxy): Disturber {
  return {
    name: 'answers',
    every: [1_000, 5_000],
    disturb: async (choices, pause) => {
      const kind = choices.pick(kinds)
      const { path, fault }: Period = periods[kind](choices)
      proxy.break(path, fault)
      await pause(choices.int(200, 2_500))
      proxy.heal()
      return kind
    },
    heal: async () => proxy.heal(),
  }
}
