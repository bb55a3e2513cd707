import type { Status } from '../../answers/read-status.ts'
import type { DocumentPlan } from '../../documents/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { flatSettings } from '../../elasticsearch/indices.ts'
import { templateName, templatePattern } from '../../elasticsearch/names.ts'

/** What somebody set in Elasticsearch, or took away there, and what makes documents wrong. */
export type IndexTrouble =
  /** The template that keeps Elasticsearch from making indices by itself (invariant 13). `why`: `is gone`. */
  | {
      readonly kind: 'unguarded'
      readonly document: string
      readonly template: string
      readonly why: string
    }
  | {
      readonly kind: 'read-only'
      readonly document: string
      readonly index: string
      /** The setting that says so. */
      readonly block: string
    }
  | { readonly kind: 'never-refreshed'; readonly document: string; readonly index: string }

/** Any of these keeps documents out; `metadata` and `read` alone do not. */
const BLOCKS = ['index.blocks.write', 'index.blocks.read_only', 'index.blocks.read_only_allow_delete']

const REFRESH = 'index.refresh_interval'

/** Of installed documents alone. Two requests for a document, whatever the number of its indices. */
export async function readIndexTrouble(
  elasticsearch: Pick<Elasticsearch, 'settingsOf' | 'guardOf'>,
  plans: readonly Pick<DocumentPlan, 'document' | 'index' | 'settings'>[],
  { indices, runs }: Pick<Status, 'indices' | 'runs'>,
): Promise<readonly IndexTrouble[]> {
  const found: IndexTrouble[] = []
  for (const { document, index: names, settings } of plans) {
    const written = indices.filter((index) => index.document === document && index.role !== 'retired')
    if (written.length === 0) continue
    const guard = await elasticsearch.guardOf(names)
    if (guard !== 'stands') {
      const why = guard === 'absent' ? 'is gone' : 'was changed'
      found.push({ kind: 'unguarded', document, template: templateName(names), why })
    }
    const present = await elasticsearch.settingsOf(templatePattern(names))
    const isBuilt = runs.some((run) => run.kind === 'reindex' && run.document === document)
    const quiet = String(flatSettings(settings)[REFRESH] ?? '') === '-1'
    for (const { name: index, role } of written) {
      const stated = present.get(index) ?? {}
      const block = BLOCKS.find((each) => String(stated[each]) === 'true')
      if (block !== undefined) found.push({ kind: 'read-only', document, index, block })
      if (role === 'live' && !isBuilt && !quiet && String(stated[REFRESH]) === '-1')
        found.push({ kind: 'never-refreshed', document, index })
    }
  }
  return found
}
