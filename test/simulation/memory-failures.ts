import type { Failure, Settlement } from '../../src/queue/types.ts'
import { olderOrigin } from '../../src/sync/fold-marks.ts'
import { type Change, changes, put, remove } from './memory-changes.ts'
import type { MemoryPostgres } from './memory-postgres.ts'
import type { FailureRow } from './memory-rows.ts'

/** `sync_failed` in memory: what src/queue/record-failures.ts, erase-failures.ts and requeue-due-failures.ts do in SQL. */

const failureName = ({ document, key, target }: Pick<FailureRow, 'document' | 'key' | 'target'>) =>
  JSON.stringify([document, key, target])

/** Pause after so many attempts, milliseconds; without the jitter of `retry_delay()`. */
const retryDelayMs = (attempts: number) => Math.min(600_000, 1000 * 2 ** (attempts - 1))

interface Outcomes extends Pick<Settlement, 'document' | 'version' | 'failures' | 'succeeded'> {
  readonly maxRetries: number
}

export function recordFailures(postgres: MemoryPostgres, outcomes: Outcomes): Change {
  return changes(() => {
    const { document, version, failures, maxRetries } = outcomes
    const applied: Change[] = []
    const origins = new Map<string, string>()
    const note = (key: string, origin: string) =>
      origins.set(key, olderOrigin(origins.get(key) ?? origin, origin))
    const gone = new Set<string>()
    for (const { key, target, origin } of failures) {
      note(key, origin)
      for (const [name, row] of postgres.failures) {
        if (row.document !== document || row.key !== key || row.version > version) continue
        if ((row.target === '') === (target === '')) continue
        note(key, row.origin)
        gone.add(name)
        applied.push(remove(postgres.failures, name))
      }
    }
    const kept = new Map(postgres.failures)
    for (const name of gone) kept.delete(name)
    for (const failure of failures) {
      const name = failureName({ document, ...failure })
      const known = kept.get(name)
      if (known !== undefined && known.version > version) continue
      const row = failed(postgres, { document, version, failure, maxRetries }, known)
      kept.set(name, row)
      applied.push(put(postgres.failures, name, row))
    }
    for (const [name, row] of kept) {
      const origin = row.document === document ? origins.get(row.key) : undefined
      if (origin === undefined || olderOrigin(origin, row.origin) === row.origin) continue
      applied.push(put(postgres.failures, name, { ...row, origin }))
    }
    return applied
  })
}

function failed(
  postgres: MemoryPostgres,
  {
    document,
    version,
    failure,
    maxRetries,
  }: {
    readonly document: string
    readonly version: bigint
    readonly failure: Failure
    readonly maxRetries: number
  },
  known: FailureRow | undefined,
): FailureRow {
  const { key, target, type, op } = failure
  const first = failure.dead || maxRetries <= 1 ? 'dead' : 'retrying'
  const attempts =
    known === undefined || (known.state === 'dead' && first === 'retrying') ? 1 : known.attempts + 1
  const dead = first === 'dead' || (known !== undefined && attempts >= maxRetries)
  return {
    document,
    key,
    target,
    version,
    state: dead ? 'dead' : 'retrying',
    attempts,
    dueAt: dead ? null : postgres.clock + retryDelayMs(attempts),
    type,
    origin: known === undefined ? failure.origin : olderOrigin(known.origin, failure.origin),
    op,
  }
}

export function eraseFailures(postgres: MemoryPostgres, { document, version, succeeded }: Outcomes): Change {
  return changes(() => {
    const erased: Change[] = []
    for (const [target, keys] of succeeded) {
      const done = new Set(keys)
      for (const [name, row] of postgres.failures) {
        if (row.document !== document || !done.has(row.key)) continue
        if (row.target !== target && row.target !== '') continue
        if (row.version > version && postgres.rules.successLooksAtVersion) continue
        erased.push(remove(postgres.failures, name))
      }
    }
    return erased
  })
}

/** Marks due keys again, and says how many. */
export function requeueDueFailures(postgres: MemoryPostgres): {
  readonly keys: number
  readonly change: Change
} {
  const due = [...postgres.failures].filter(
    ([, { state, dueAt }]) => state === 'retrying' && dueAt !== null && dueAt <= postgres.clock,
  )
  const kinds = Map.groupBy(due, ([, { document, target, origin, op }]) =>
    JSON.stringify([document, target, origin, op]),
  )
  const marked = [...kinds.values()].flatMap((rows) => {
    const [, first] = rows[0] ?? []
    if (first === undefined) return []
    const { document, op, origin } = first
    const keys = rows.map(([, { key }]) => key).sort()
    const lane = due.length > 100 ? 1 : 0
    const target = first.target === '' ? null : first.target
    return [
      postgres.insertMark({
        document,
        lane,
        source: '',
        keys,
        op,
        origin,
        target,
        createdAt: postgres.clock,
      }),
    ]
  })
  const later = due.map(([name, row]) =>
    put(postgres.failures, name, { ...row, dueAt: postgres.clock + 600_000 }),
  )
  return { keys: due.length, change: changes(() => [...marked, ...later]) }
}
