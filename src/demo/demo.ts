import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { install } from '../capture/install.ts'
import { DEFAULT_ALERTS } from '../config/alerts.ts'
import type { Settings } from '../config/types.ts'
import { count } from '../counts.ts'
import { FailedError } from '../errors.ts'
import type { Comparison } from '../runs/comparison.ts'
import { Instance } from '../runs/instance.ts'
import { requestVerify } from '../runs/request-verify.ts'
import { AUTHORS, BOOKS, bookDefinition, DOCUMENT, makeBooks } from './books.ts'
import { type ChangeReport, playChanges, playRollback, type RollbackReport } from './changes.ts'
import { type DeadLetterReport, playDeadLetter } from './dead-letter.ts'
import { keepPlace, leftOver, makePlace, removePlace, SYNC, TABLES } from './place.ts'
import { type Audience, ms, type Scene } from './stage.ts'
import { followRun, type Played } from './waiting.ts'

/** What the demo saw, for programs (demoJson). */
export interface DemoReport {
  /** Alias of the index, and the two schemas. */
  readonly index: string
  readonly tables: string
  readonly schema: string
  readonly backfill: { readonly documents: number; readonly elapsedMs: number }
  readonly changes: readonly ChangeReport[]
  readonly rolledBack: RollbackReport
  readonly deadLetter: DeadLetterReport
  readonly verify: Pick<Comparison, 'rows' | 'documents' | 'missing' | 'stale' | 'extra'>
  /** Whether it is all still there. */
  readonly kept: boolean
}

/**
 * sluice on the user's own servers, in a place of its own: real tables, triggers, marks, a real daemon (in this process)
 * and a real index. Removes all of it at the end, however that comes, unless it is to be kept; what an earlier one has
 * left behind is removed first. Throws a UsageError where the place is somebody else's, and what went wrong otherwise.
 */
export async function demo(
  scene: Scene,
  audience: Audience,
  { keep }: { readonly keep: boolean },
): Promise<DemoReport> {
  const letGo = await keepPlace(scene.pool)
  try {
    const left = await leftOver(scene.pool)
    if (left.length > 0) {
      audience.say(`An earlier demo has left ${left.join(' and ')} behind, which is removed first.`)
      await removePlace(scene)
    }
    await makePlace(scene.pool)
    audience.say(
      `It plays in the schemas ${TABLES} and ${SYNC} and an index of its own; nothing else is touched.`,
    )
    const played = await outcomeOf(playOut(scene, audience))
    if (!keep) audience.act('All of it is removed again')
    const removed = keep ? null : await outcomeOf(removePlace(scene))
    const stays = removed !== null && 'error' in removed
    if (stays) audience.warn('not all that was made could be removed; the next sluice demo removes it')
    if ('error' in played) {
      // Whatever broke off: that is why.
      if (scene.signal.aborted) throw interrupted(keep || stays)
      throw played.error
    }
    if (stays) throw removed.error
    return { ...played.value, kept: keep }
  } finally {
    letGo()
  }
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown }

async function outcomeOf<T>(work: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work }
  } catch (error) {
    return { error }
  }
}

function interrupted(isThere: boolean): FailedError {
  return new FailedError(
    `interrupted; what was made is ${isThere ? 'still there, and the next sluice demo removes it' : 'removed again'}`,
  )
}

async function playOut(scene: Scene, audience: Audience): Promise<Omit<DemoReport, 'kept'>> {
  const { pool, elasticsearch, settings: own } = scene
  const index = `sluice-demo-${randomBytes(3).toString('hex')}`
  const definitions = new Map([[DOCUMENT, bookDefinition(index)]])

  audience.act('Two tables')
  await makeBooks(pool)
  audience.say(
    `${count(AUTHORS)} authors and ${count(BOOKS)} books in schema ${TABLES}. In Elasticsearch a book shows its author.`,
  )

  audience.act('sluice install: triggers on both tables, and an index')
  const { runs } = await install({
    pool,
    url: own.postgres,
    schema: SYNC,
    definitions,
    elasticsearch,
    backfill: true,
    dryRun: false,
    onPlan: ({ steps }) => {
      const triggers = steps.filter(({ what }) => what.startsWith('trigger ')).length
      audience.say(
        `${triggers} triggers: whatever changes a row writes a mark into ${SYNC}.sync_queue, in its own transaction.`,
      )
    },
    onWait: audience.say,
  })
  audience.say(`An index, with the alias ${index} for searches.`)
  const [run] = runs
  if (run === undefined) throw new FailedError('install has requested no backfill')
  scene.signal.throwIfAborted()

  const settings: Settings = {
    ...own,
    schema: SYNC,
    documents: definitions,
    file: 'sluice demo',
    // The user's webhook is for what happens to the user's documents.
    alerts: DEFAULT_ALERTS,
  }
  return withDaemon({ scene, audience, settings }, async (signal) => {
    const played: Played = { ...scene, signal, index }
    audience.act('sluice run: the daemon, in this process, indexes the rows that are there')
    const { processed, elapsedMs } = await followRun(played, audience, { id: run.id, label: 'indexing' })
    const backfill = { documents: processed, elapsedMs: elapsedMs ?? 0 }
    audience.say(`${count(processed)} documents in ${ms(backfill.elapsedMs)}.`)

    audience.act('Changes, as an application makes them')
    const changes = await playChanges(played, audience)
    const rolledBack = await playRollback(played, audience)

    audience.act('A document that Elasticsearch refuses')
    const deadLetter = await playDeadLetter(played, audience)

    audience.act('sluice verify --deep: every row against its document')
    const verify = await verified(played, audience)
    return { index, tables: TABLES, schema: SYNC, backfill, changes, rolledBack, deadLetter, verify }
  })
}

/** Until the work is done; its signal is aborted, too, when the daemon cannot go on. */
async function withDaemon<T>(
  { scene, audience, settings }: { scene: Scene; audience: Audience; settings: Settings },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const gone = new AbortController()
  let said: string | null = null
  const instance = new Instance({
    settings,
    log: pino({ level: 'silent' }),
    onState: ({ state, reason }) => {
      if (state === 'waiting' && reason !== null && reason !== said)
        audience.warn(`the daemon waits: ${reason}`)
      said = reason
    },
  })
  instance.finished.catch((error: unknown) => gone.abort(error))
  instance.start()
  try {
    return await work(AbortSignal.any([scene.signal, gone.signal]))
  } finally {
    await instance.stop()
  }
}

async function verified(played: Played, audience: Audience): Promise<DemoReport['verify']> {
  const { pool, settings } = played
  const { id } = await requestVerify(pool, SYNC, {
    document: DOCUMENT,
    options: { deep: true },
    requestedBy: settings.instance,
  })
  const { result } = await followRun(played, audience, { id, label: 'comparing' })
  if (result?.comparison === undefined) throw new FailedError(`run ${id} has compared nothing`)
  const { rows, documents, missing, stale, extra } = result.comparison
  audience.say(
    `${count(rows)} rows, ${count(documents)} documents: ${missing} missing, ${stale} stale, ${extra} extra.`,
  )
  return { rows, documents, missing, stale, extra }
}
