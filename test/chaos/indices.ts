import { setTimeout as delay } from 'node:timers/promises'
import type { Disturber } from './disturber.ts'

const ALIASES = ['chaos-items', 'chaos-labels', 'chaos-events', 'chaos-routed', 'chaos-products-a'] as const

/** The second is what the flood-stage watermark of a full disk sets. */
const BLOCKS = ['write', 'read_only_allow_delete', 'read_only'] as const

/**
 * Indices that take no writes for a while.
 *
 * @param elasticsearch the server itself, not by way of the network
 */
export function blockedIndices(elasticsearch: string): Disturber {
  const settings = async (indices: string, values: Readonly<Record<string, true | null>>) => {
    try {
      const answer = await fetch(new URL(`/${indices}/_settings?expand_wildcards=all`, elasticsearch), {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(values),
        signal: AbortSignal.timeout(10_000),
      })
      return answer.ok
    } catch {
      return false
    }
  }
  // The alias may have been moved meanwhile: all of them, whoever had it.
  const free = () =>
    settings('chaos-*', Object.fromEntries(BLOCKS.map((block) => [`index.blocks.${block}`, null])))
  const untilFree = async () => {
    const deadline = performance.now() + 120_000
    while (!(await free())) {
      if (performance.now() > deadline) throw new Error('the blocks of the indices cannot be taken away')
      await delay(200)
    }
  }
  return {
    name: 'blocks',
    every: [2_000, 8_000],
    disturb: async (choices, pause) => {
      const block = choices.pick(BLOCKS)
      if (!(await settings(choices.pick(ALIASES), { [`index.blocks.${block}`]: true }))) return null
      await pause(choices.int(200, 4_000))
      await untilFree()
      return block
    },
    heal: untilFree,
  }
}
