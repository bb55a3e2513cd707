import { z } from 'zod'
import { alertNames } from '../../queue/read-conditions.ts'

const number = z.number()
const time = z.string().nullable()

/** What `status` prints with --json. Times are UTC, ISO 8601; lags and ages are milliseconds. */
export const statusJson = z.strictObject({
  documents: z.array(
    z.strictObject({
      name: z.string(),
      state: z.enum(['active', 'paused', 'detached']),
      /** Why it is paused or detached. */
      reason: z.string().nullable(),
      /** Something to look at. */
      alarm: z.string().nullable(),
      /** Against the configuration in this folder: null without one, missing when it does not have the document. */
      definition: z.enum(['installed', 'changed', 'missing']).nullable(),
      /** Columns that its tables have got since the install, where it takes all of them (`places`: in which parts). */
      laterColumns: z.array(
        z.strictObject({ table: z.string(), columns: z.array(z.string()), places: z.array(z.string()) }),
      ),
      /** True when a living daemon works on it. */
      attended: z.boolean(),
      pendingKeys: number,
      parkedKeys: number,
      /** Those of `parkedKeys` whose index is blocked. */
      blockedKeys: number,
      /** False: there are too many marks to count, and these three are estimates, mostly right to a few percent. */
      keysAreExact: z.boolean(),
      /** The mass-delete brake, while it holds deletes back. */
      brake: z
        .strictObject({
          trippedAt: z.string(),
          /** Unexplained deletes carried out before it tripped. */
          deletes: number,
          /** Documents in the index then. */
          documents: number.nullable(),
          parked: number,
          /** `_id`s of some of them. */
          sample: z.array(z.string()),
        })
        .nullable(),
      oldestPendingMs: number.nullable(),
      syncedLastMinute: number,
      failedLastMinute: number,
      /** Share of the last hour's operations that failed, 0 to 1. */
      failureRate: number,
      averageLagMs: number.nullable(),
      p99LagMs: number.nullable(),
      retrying: number,
      dead: number,
      lastSyncedAt: time,
    }),
  ),
  /** Conditions that last, critical ones first (docs/metrics.md). */
  alerts: z.array(
    z.strictObject({
      name: z.enum(alertNames),
      /** Null: it is about everything. */
      document: z.string().nullable(),
      severity: z.enum(['warning', 'critical']),
      since: z.string(),
      reason: z.string(),
    }),
  ),
  /** Documents of the configuration that are not installed. */
  notInstalled: z.array(z.string()),
  workers: z.array(
    z.strictObject({
      instance: z.string(),
      alive: z.boolean(),
      state: z.enum(['running', 'waiting', 'draining', 'stopped']),
      /** What it waits for. */
      reason: z.string().nullable(),
      /** Since when it is in this state. */
      since: z.string(),
      version: z.string(),
      /** Documents that it does not send at present, why and since when; `index`: only to that index. */
      pauses: z.array(
        z.strictObject({
          document: z.string(),
          index: z.string().nullable(),
          type: z.string(),
          reason: z.string(),
          since: z.string(),
        }),
      ),
      startedAt: z.string(),
      seenMsAgo: number,
    }),
  ),
  /** Runs under way. */
  runs: z.array(
    z.strictObject({
      id: z.string(),
      kind: z.string(),
      document: z.string(),
      state: z.string(),
      /** 0 to 1; null while the total is not known. */
      progress: number.nullable(),
      total: number.nullable(),
      processed: number,
      perSecond: number.nullable(),
      remainingMs: number.nullable(),
      worker: z.string().nullable(),
      /** What it takes for it to go on; null when it does. */
      waitsFor: z.string().nullable(),
    }),
  ),
  /**
   * The last run of a kind of a document, where it failed within a week and no alarm of the document says so: nobody may have
   * watched it (`--no-wait`, SQL).
   */
  failedRuns: z.array(
    z.strictObject({
      id: z.string(),
      kind: z.enum(['backfill', 'reindex', 'verify', 'optimize']),
      document: z.string(),
      error: z.string().nullable(),
      requestedBy: z.string(),
      endedAt: z.string(),
    }),
  ),
  schedules: z.array(
    z.strictObject({
      name: z.string(),
      run: z.enum(['backfill', 'reindex', 'verify', 'optimize']),
      cron: z.string(),
      timezone: z.string(),
      /** Null: every installed document. */
      documents: z.array(z.string()).nullable(),
      /** Against the configuration in this folder, as of a document. */
      definition: z.enum(['installed', 'changed', 'missing']).nullable(),
      /** True when a living daemon fires it. */
      attended: z.boolean(),
      nextAt: z.string(),
      /** The same by the clocks of its time zone: `2026-03-29 03:00`. */
      nextAtLocal: z.string(),
      /** Null before the first firing. */
      last: z
        .strictObject({
          /** The time it was fired for. */
          dueAt: z.string(),
          firedAt: z.string(),
          /** Instance. */
          firedBy: z.string(),
          runs: z.array(
            z.strictObject({
              document: z.string(),
              /** The run that was requested; where one was under way, that one. */
              run: z.string().nullable(),
              /** Why no run was requested; null where one was. */
              skipped: z.string().nullable(),
              /** Of the run; null where there is none (any more). */
              state: z.string().nullable(),
            }),
          ),
        })
        .nullable(),
    }),
  ),
  /** Schedules of the configuration that are not installed. */
  schedulesNotInstalled: z.array(z.string()),
  indices: z.array(
    z.strictObject({
      name: z.string(),
      alias: z.string(),
      document: z.string(),
      role: z.enum(['live', 'kept', 'building', 'retired']),
      createdAt: z.string(),
      /** When a kept index is dropped; null: it is none. */
      dropAt: time,
    }),
  ),
})
