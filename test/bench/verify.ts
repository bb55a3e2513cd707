import type { Comparison } from '../../src/runs/comparison.ts'
import { fetchFrom } from './address.ts'
import { type Cell, usual } from './cell.ts'
import type { Daemon } from './daemon.ts'
import { memory } from './process-figures.ts'
import { seeded } from './prose.ts'
import { quiet } from './quiet.ts'
import { runEnded } from './run-ended.ts'
import { flat } from './subject.ts'
import { costMeter, type World } from './world.ts'

/** Documents that are corrupted, a third of each kind: missing, stale, extra. */
const CORRUPTIONS = 999

/** Four passes of 200,000; of millions, one is enough. */
const WARM_DOCUMENTS = 800_000

/** Rows per second of `sluice verify`, from the run's start to its end, as `sync_run` has them; and what it finds. */
export const verify: Cell = {
  name: 'verify',
  about:
    'sluice verify of --rows rows with one daemon, by id and deep; 999 seeded corruptions found and repaired; memory.',
  defaults: { ...usual, rows: 200_000 },
  figures: {
    'by id': { of: 'value', atLeast: 50_000 },
    deep: { of: 'value', atLeast: 10_000 },
    'corruptions not found, or invented, or left': { of: 'value', atMost: 0 },
  },
  world: { documents: { [flat.document]: flat.definition } },
  async *measure(world, { rounds, rows }, note) {
    await flat.fill(world, rows)
    await world.sluice('install', '--no-backfill')
    const filling = await world.startDaemon()
    note(`backfill of ${rows} rows`)
    await world.sluice('backfill', flat.document)
    await filling.stop()
    // One that has indexed nothing: its memory is that of the verifies.
    const daemon = await world.startDaemon()
    const figures = memoryOf(daemon)
    // The JIT compiler of Elasticsearch: the first verify costs it three times what the fourth does.
    for (let warm = 0; warm < WARM_DOCUMENTS; warm += rows) {
      for (const deep of [false, true]) await verified(world, { deep })
    }
    for (let round = 1; round <= rounds; round++) {
      for (const deep of [false, true]) {
        await quiet(world)
        const cost = costMeter(world, daemon)
        const { perSecond } = await verified(world, { deep })
        const details = { ...cost(rows), ...figures() }
        const value = Math.round(perSecond)
        yield { round, case: deep ? 'deep' : 'by id', value, unit: 'documents/s', details }
      }
      await corrupt(world, rows, round)
      const { comparison } = await verified(world, { deep: true, repair: 'all' })
      const each = CORRUPTIONS / 3
      const { missing, stale, extra, left } = comparison
      const wrong = [missing, stale, extra].reduce((sum, found) => sum + Math.abs(found - each), 0)
      yield {
        round,
        case: 'corruptions not found, or invented, or left',
        value: wrong + (left === undefined ? CORRUPTIONS : left.missing + left.stale + left.extra),
        unit: 'documents',
        details: { seeded: CORRUPTIONS, missing, stale, extra, ...figures() },
      }
    }
    await daemon.stop()
  },
}

function memoryOf({ pid }: Daemon): () => Record<string, number> {
  return () => {
    const { peak, now } = memory(pid)
    return { peak_mb: Math.round(peak), now_mb: Math.round(now) }
  }
}

export async function verified(
  world: World,
  options: object,
  document = flat.document,
): Promise<{ readonly comparison: Comparison; readonly perSecond: number }> {
  const { rows } = await world.pool.query<{ id: string }>(
    "INSERT INTO sluice.sync_run (kind, document, options) VALUES ('verify', $1, $2) RETURNING id::text",
    [document, JSON.stringify(options)],
  )
  const { comparison, seconds } = await runEnded(world, { id: rows[0]?.id ?? '' })
  if (comparison === null) throw new Error('a verify ended without a comparison')
  return { comparison, perSecond: comparison.rows / seconds }
}

/**
 * Each document keeps its version: with another one sluice would find that somebody else writes to the index, and request
 * a verify of its own.
 */
async function corrupt({ elasticsearchUrl }: World, rows: number, round: number): Promise<void> {
  const random = seeded(round)
  const ids = new Set<number>()
  while (ids.size < CORRUPTIONS) ids.add(1 + Math.floor(random() * rows))
  const alias = flat.definition.index
  const found = await fetchFrom(elasticsearchUrl, `/${alias}/_mget`, {
    method: 'POST',
    body: JSON.stringify({ ids: [...ids].map(String) }),
  })
  const { docs } = (await found.json()) as { docs: { _id: string; _version: number; _source: object }[] }
  const lines = docs.flatMap(({ _id, _version, _source }, n): object[] => {
    const as = { version: _version, version_type: 'external_gte' }
    if (n % 3 === 0) return [{ delete: { _id, ...as } }]
    if (n % 3 === 1) return [{ index: { _id, ...as } }, { ..._source, title: 'of yesterday' }]
    // Another one in each round: Elasticsearch remembers for a minute with which version the last one was deleted.
    const id = rows * round + Number(_id)
    return [{ index: { _id: String(id), ...as } }, { id, title: 'of nobody' }]
  })
  const answer = await fetchFrom(elasticsearchUrl, `/${alias}/_bulk?refresh=true`, {
    method: 'POST',
    type: 'application/x-ndjson',
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  })
  const { errors } = (await answer.json()) as { errors: boolean }
  if (errors) throw new Error('the corruptions were refused')
}
