import { UnreachableError } from '../errors.ts'
import type { Chore } from './chores.ts'
import type { ChoresContext } from './daemon-chores.ts'
import { checkVersions } from './foreign-versions.ts'
import { checkIndexIdentity } from './index-identity.ts'

/** Elasticsearch reads the version of every document: that may take a hundredth of the time, on its one node. */
const VERSIONS_SHARE = 100

/**
 * Chores that look after the identity of indices and documents. A role that may write and not look (403) must not stop
 * the daemon: it is said once.
 */
export function watchIndices(context: ChoresContext): readonly Chore[] {
  const { settings, log } = context
  const check = { ...context, schema: settings.schema }
  const told = new Set<string>()
  const ifAllowed = async (what: string, run: () => Promise<void>) => {
    try {
      await run()
      told.delete(what)
    } catch (error) {
      if (!(error instanceof UnreachableError && error.forbidden)) throw error
      if (told.has(what)) return
      told.add(what)
      log.warn({ what, reason: error.message, remedy: error.remedy }, 'cannot be watched')
    }
  }

  let versionsAt = 0
  let server: string | null = null
  const versions = async () => {
    // Another server than the last time: at once.
    if (performance.now() < versionsAt && server === context.server()) return
    const begun = performance.now()
    await checkVersions(check)
    server = context.server()
    versionsAt = performance.now() + VERSIONS_SHARE * (performance.now() - begun)
  }
  return [
    {
      name: 'index identity',
      everyMs: 30_000,
      run: () => ifAllowed('identity of the indices', () => checkIndexIdentity(check)),
    },
    { name: 'versions', everyMs: 10_000, run: () => ifAllowed('versions in the indices', versions) },
  ]
}
