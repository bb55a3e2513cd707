import { setTimeout as delay } from 'node:timers/promises'
import type { Scene } from './scene.ts'

/** What became of the searches, by what was answered: `200`, `200 partial`, `200 empty`, `503`, … */
type Answers = Map<string, number>

const PER_SECOND = 200

/** An index of somebody else’s making gives its name to an alias, while the application searches by that name. */
export async function adopted(scene: Scene): Promise<void> {
  for (const shards of [1, 1, 5, 5]) {
    const index = `${scene.index}-taken`
    const settings = { number_of_shards: shards, number_of_replicas: 0 }
    await scene.request('PUT', `/${index}`, { settings })
    for (let id = 1; id <= 20; id++) await scene.request('PUT', `/${index}/_doc/${id}?refresh=true`, { id })
    await scene.configure('adopting', scene.address.urlOf(scene.postgres.url), {
      taken: { table: 'article', index },
    })
    const searches = startSearches(scene, index)
    await scene.sluice(['reindex', 'taken', '--adopt'], { config: 'adopting' })
    const { answers, first, last } = await searches.stop()
    const list = [...answers].map(([answer, n]) => `${answer} × ${n}`).join(', ')
    scene.say(
      `an index of ${shards} shards is adopted, at ${PER_SECOND} searches a second: ${list}${first === null ? '' : `; not answered in full within ${last - first} ms`}`,
    )
    // One that is under way may lose its shard. None finds nothing, or no index.
    const wrong = [...answers.keys()].filter((answer) => !['200', '503', '200 partial'].includes(answer))
    if (wrong.length > 0) scene.problems.push(`searches were answered ${wrong.join(', ')}`)
    await scene.sluice(['uninstall', 'taken', '--yes'], { config: 'adopting' })
  }
}

function startSearches(scene: Scene, index: string) {
  const answers: Answers = new Map()
  const under = new Set<Promise<void>>()
  let stopped = false
  let first: number | null = null
  let last = 0
  const one = async () => {
    const answer = await search(scene, index)
    answers.set(answer, (answers.get(answer) ?? 0) + 1)
    if (answer === '200') return
    last = Math.round(performance.now())
    first ??= last
  }
  const searching = (async () => {
    const begun = performance.now()
    for (let n = 0; !stopped; ) {
      for (; n < ((performance.now() - begun) / 1000) * PER_SECOND; n++) {
        const running: Promise<void> = one().finally(() => under.delete(running))
        under.add(running)
      }
      await delay(2)
    }
    await Promise.all(under)
  })()
  return {
    stop: async () => {
      stopped = true
      await searching
      return { answers, first, last }
    },
  }
}

async function search(scene: Scene, index: string): Promise<string> {
  const answer = await fetch(new URL(`/${index}/_search`, scene.elasticsearch.url))
  const body = (await answer.json()) as {
    _shards?: { failed: number }
    hits?: { total: { value: number } }
  }
  if (answer.status !== 200) return String(answer.status)
  if (body.hits?.total.value === 0) return '200 empty'
  return body._shards?.failed === 0 ? '200' : '200 partial'
}
