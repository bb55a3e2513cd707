import { setTimeout as delay } from 'node:timers/promises'
import { UnreachableError } from '../errors.ts'
import type { Chore } from './chores.ts'
import type { ChoresContext } from './daemon-chores.ts'
import { checkVersions } from './foreign-versions.ts'
import { checkIndexIdentity } from './index-identity.ts'

/** Elasticsearch reads the version of every document: that may take a hundredth of the time, on one of its processors. */
const VERSIONS_SHARE = 100

/** Shards take a moment to start with their cluster. */
const SETTLING_MS = 30_000

export interface IndexWatch {
  readonly chores: readonly Chore[]
  /**
   * For an Elasticsearch that was away: it may have come back with older data, and batches would soon hide that. Resolves
   * when all shards were seen that were seen before, or after half a minute.
   */
  cameBack(): Promise<void>
}

type Check = (document: string, index: string) => Promise<boolean>

/** Looks after the identity of indices and documents. */
export function watchIndices(context: ChoresContext): IndexWatch {
  const { settings, log, plans } = context
  const check = { ...context, schema: settings.schema, unseen: new Map<string, number>() }
  const told = new Set<string>()

  /**
   * For each document; true when all said so. A role that may write and not look (403), or an index without its
   * shards (503), holds up neither the other documents nor the daemon: it is said once.
   */
  const forEach = async (what: string, look: Check): Promise<boolean> => {
    let all = true
    for (const [document, { index }] of plans) {
      const about = `${what} of ${document}`
      try {
        if (!(await look(document, index))) all = false
        told.delete(about)
      } catch (error) {
        if (!(error instanceof UnreachableError) || error.status === null || error.status === 401) throw error
        all = false
        if (told.has(about)) continue
        told.add(about)
        log.warn({ document, what, reason: error.message, remedy: error.remedy }, 'cannot be watched')
      }
    }
    return all
  }
  const identity = () => forEach('identity', (document, index) => checkIndexIdentity(check, document, index))

  let versionsAt = 0
  let server: string | null = null
  const versions = async () => {
    // Another server than the last time: at once.
    if (performance.now() < versionsAt && server === context.server()) return
    const begun = performance.now()
    await forEach('versions', (document, index) => checkVersions(check, document, index).then(() => true))
    server = context.server()
    versionsAt = performance.now() + VERSIONS_SHARE * (performance.now() - begun)
  }
  return {
    chores: [
      {
        name: 'index identity',
        everyMs: 10_000,
        run: async () => {
          await identity()
        },
      },
      { name: 'versions', everyMs: 10_000, run: versions },
    ],
    cameBack: async () => {
      const until = performance.now() + SETTLING_MS
      do {
        if (await identity()) return
        await delay(250)
      } while (performance.now() < until)
    },
  }
}
