import { z } from 'zod'

import { failedListJson } from '../answers/json/failed.ts'
import { runJson, runsJson } from '../answers/json/run.ts'
import { statusJson } from '../answers/json/status.ts'
/** Answers that no command prints. Times are UTC, ISO 8601. */

/** What is said where something was not done. Never a stack, never a secret. */
export const httpErrorJson = z.strictObject({
  error: z.strictObject({
    code: z.enum([
      'config',
      'usage',
      'unreachable',
      'schema',
      'document-query',
      'failed',
      'not-found',
      'unauthorized',
      'forbidden',
      'wrong-host',
      'run-under-way',
      'too-many-requests',
      'bad-request',
      'internal',
    ]),
    message: z.string(),
    /** What to do about it. */
    remedy: z.string().optional(),
  }),
  /** Id of the run under way that is in the way (409). */
  run: z.string().optional(),
})

const grade = z.enum(['healthy', 'degraded', 'critical'])
const figure = z.union([z.number(), z.string()]).nullable()

const componentJson = z.strictObject({
  status: grade,
  /** What was found; null: nothing is known, or there is nothing. */
  value: figure,
  /** Of value and threshold; null where they are words. */
  unit: z.enum(['ms', 'keys', 'share', 'documents']).nullable(),
  /** From where on it is worse; null: it cannot be. */
  threshold: z.strictObject({ degraded: figure, critical: figure }),
  reason: z.string(),
})

/** `GET /health` */
export const healthJson = z.strictObject({
  /** The worst of its components'. */
  status: grade,
  instance: z.string(),
  components: z.strictObject({
    daemon: componentJson,
    postgres: componentJson,
    elasticsearch: componentJson,
    lastSync: componentJson,
    pending: componentJson,
    oldestPending: componentJson,
    errorRate: componentJson,
    consistency: componentJson,
    documents: componentJson,
  }),
})

/** `GET /ready` */
export const readyJson = z.strictObject({ ready: z.boolean(), reasons: z.array(z.string()) })

export const alertsJson = z.strictObject({
  alerts: z.array(
    z.strictObject({
      name: z.string(),
      document: z.string().nullable(),
      severity: z.enum(['warning', 'critical']),
      since: z.string(),
      reason: z.string(),
    }),
  ),
})

export const documentsJson = statusJson.pick({ documents: true, notInstalled: true })
export const indicesJson = statusJson.pick({ indices: true })
export const workersJson = statusJson.pick({ workers: true })

export const oneRunJson = z.strictObject({ run: runJson })

/** Where a list goes on: `?after=` of the next request; null at its end. */
const nextJson = z.string().nullable()

/** `GET /api/runs` */
export const runsPageJson = runsJson.extend({ next: nextJson })

/** `GET /api/failures` */
export const failuresPageJson = failedListJson.extend({ next: nextJson })

/** A run that was requested. */
export const startedJson = z.strictObject({
  run: runJson,
  /** Documents that it comes to; null where that could not be told within two seconds. */
  estimate: z
    .strictObject({ total: z.number().int().nonnegative(), counted: z.enum(['exact', 'estimate']) })
    .nullable(),
  /** What makes it slow, or otherwise than one may think. */
  warnings: z.array(z.string()),
})

const count = z.number().int().nonnegative()

/** Rows of sync_log, the latest first. */
export const logJson = z.strictObject({
  entries: z.array(
    z.strictObject({
      at: z.string(),
      worker: z.string(),
      document: z.string(),
      index: z.string(),
      operation: z.enum(['index', 'delete', 'none']),
      outcome: z.enum(['done', 'superseded', 'retry', 'dead', 'blocked']),
      count,
      bytes: count,
      /** Average milliseconds from mark to answer. */
      lagMs: z.number().nullable(),
      /** Milliseconds in bulk requests. */
      tookMs: z.number(),
    }),
  ),
  next: nextJson,
})
