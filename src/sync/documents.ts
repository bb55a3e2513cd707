import type { DocumentDefinition } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { InstalledDocument } from '../queue/read-documents.ts'

/** Documents this daemon works on, and why it leaves the others alone. */
export interface Assessment {
  readonly plans: ReadonlyMap<string, DocumentPlan>
  /** Why this daemon cannot work on those of its documents that others may be working on. */
  readonly waiting: ReadonlyMap<string, string>
  /** Why nobody works on a document: it is paused or detached, as `sync_document` says to all. */
  readonly stopped: ReadonlyMap<string, string>
}

/**
 * Holds the configuration against what is installed. A daemon works only on documents whose definition is the
 * installed one: in a rolling deploy the old and the new daemons never write the same document differently.
 */
export function assessDocuments(
  configured: ReadonlyMap<string, DocumentDefinition>,
  installed: readonly InstalledDocument[],
): Assessment {
  const plans = new Map<string, DocumentPlan>()
  const waiting = new Map<string, string>()
  const stopped = new Map<string, string>()
  const byName = new Map(installed.map((document) => [document.name, document]))
  for (const [name, definition] of configured) {
    const document = byName.get(name)
    if (document === undefined) waiting.set(name, 'it is not installed: run sluice install')
    else if (document.hash !== definitionHash(definition)) {
      waiting.set(
        name,
        'its definition differs from the installed one: run sluice install, or restart this daemon with the installed configuration',
      )
    } else if (document.state !== 'active') {
      stopped.set(name, `it is ${document.state}${document.reason === null ? '' : ` (${document.reason})`}`)
    } else plans.set(name, document.plan)
  }
  return { plans, waiting, stopped }
}
