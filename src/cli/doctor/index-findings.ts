import type { Status } from '../../answers/read-status.ts'
import type { Curl } from './curl.ts'
import { type DoctorFinding, error, warning } from './finding.ts'
import type { IndexTrouble } from './index-trouble.ts'
import type { Strayed } from './strayed.ts'
import type { ShortTombstones } from './tombstones.ts'

export function strayedFindings(strayed: Strayed, { documents }: Status, curl: Curl): DoctorFinding[] {
  const { kind, document, index } = strayed
  // A daemon has seen it, and says so in the alarm.
  const told = documents.some(({ name, alarm }) => name === document && alarm?.startsWith('alias ') === true)
  switch (kind) {
    case 'unknown':
      if (told) return []
      return [
        error('alias_unknown', document, {
          what: 'is searched in an index that it does not write to',
          evidence: `${strayed.alias} points to ${index}, which sluice made for it and this database does not know: it was set back to before that`,
          remedy: 'sluice run',
          advice: 'a daemon takes it in and has it verified within ten seconds, or says why not',
        }),
      ]
    case 'moved': {
      if (told) return []
      const { alias, searched } = strayed
      const actions = [
        ...searched.map((other) => ({ remove: { index: other, alias } })),
        { add: { index, alias } },
      ]
      return [
        error('alias_moved', document, {
          what: 'is not searched where it is written to',
          evidence: `${alias} points to ${searched.join(', ') || 'no index of it'}, and not to ${index}, which sluice writes to`,
          remedy: curl('POST', '/_aliases', { actions }),
        }),
      ]
    }
    case 'left':
      return [
        warning('index_left', document, {
          what: 'has an index that nobody uses',
          evidence: `${index} was made by sluice for it; no alias points to it, and this database does not know it`,
          remedy: curl('DELETE', `/${index}`),
        }),
      ]
  }
}

export function tombstoneFinding(
  { document, index, stated, configured }: ShortTombstones,
  curl: Curl,
): DoctorFinding {
  return error('deletes_forgotten', document, {
    what: `forgets deletes in ${index} too soon`,
    evidence: `index.gc_deletes is ${stated}: a request that is held up for longer brings a deleted document back`,
    remedy: curl('PUT', `/${index}/_settings`, { 'index.gc_deletes': '1h' }),
    advice: configured ? `and take gc_deletes out of documents.${document}.settings` : null,
  })
}

export function troubleFinding(trouble: IndexTrouble, curl: Curl): DoctorFinding {
  const { kind, document } = trouble
  switch (kind) {
    case 'unguarded':
      return error('guard_missing', document, {
        what: 'has no guard against indices that are created by accident',
        evidence: `index template ${trouble.template} ${trouble.why}: a write to an index of it that is missing would create one with guessed mappings`,
        remedy: 'sluice install',
      })
    case 'read-only': {
      const { index, block } = trouble
      return error('index_read_only', document, {
        what: `has an index that takes no writes: ${index}`,
        evidence: `${block} is set${block.endsWith('allow_delete') ? ', as Elasticsearch does when a disk is full' : ''}`,
        remedy: curl('PUT', `/${index}/_settings`, { [block]: null }),
        advice: 'find out who set it; what waits is sent by itself afterwards',
      })
    }
    case 'never-refreshed': {
      const { index } = trouble
      return error('never_refreshed', document, {
        what: `has an index whose changes no search sees: ${index}`,
        evidence:
          'index.refresh_interval is -1, which neither the configuration nor a run under way asks for',
        remedy: curl('PUT', `/${index}/_settings`, { 'index.refresh_interval': null }),
      })
    }
  }
}
