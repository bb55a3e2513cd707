import { pino } from 'pino'
import { requestRun } from '../../src/queue/request-run.ts'
import type { Comparison } from '../../src/runs/comparison.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { executeRun } from '../../src/runs/execute.ts'
import { takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import type { Run, RunOptions } from '../../src/runs/types.ts'
import type { Places } from './address-world.ts'
import { SCHEMA, type SyncWorld } from './sync-world.ts'

/** What a run of these documents needs. */
export function runContext(world: SyncWorld, docs: Places, instance = 'a'): RunContext {
  return {
    pool: world.database.pool,
    schema: SCHEMA,
    elasticsearch: world.elasticsearch,
    plans: new Map([[docs.document, docs.plan]]),
    definitions: new Map([[docs.document, docs.definition]]),
    instance,
    log: pino({ level: 'silent' }),
  }
}

/** Requests a verify and takes it. */
export async function taken(world: SyncWorld, docs: Places, options: RunOptions = {}): Promise<Run> {
  const { pool } = world.database
  await requestRun(pool, SCHEMA, { kind: 'verify', document: docs.document, options })
  const run = await takeRun(pool, SCHEMA, 'a', [docs.document])
  if (run === null) throw new Error('nothing to take')
  return run
}

/** Runs a verify to its end, and the batches it asks for. */
export async function verified(world: SyncWorld, docs: Places, options: RunOptions = {}): Promise<Run> {
  const run = await taken(world, docs, options)
  let ended = false
  const outcome = executeRun(runContext(world, docs), run, new AbortController().signal).finally(() => {
    ended = true
  })
  while (!ended) {
    if (options.repair !== undefined) await docs.drain({ lane: 1 })
    else await new Promise((resolve) => setImmediate(resolve))
  }
  await outcome
  const finished = await readRun(world.database.pool, SCHEMA, run.id)
  if (finished === null) throw new Error('the run is gone')
  return finished
}

/** What a verify found; throws with the reason when it failed. */
export async function found(world: SyncWorld, docs: Places, options: RunOptions = {}): Promise<Comparison> {
  const { result, error } = await verified(world, docs, options)
  if (result?.comparison === undefined) throw new Error(error ?? 'no comparison')
  return result.comparison
}
