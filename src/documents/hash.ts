import { createHash } from 'node:crypto'
import type { DocumentDefinition, RowFields, ScheduleDefinition } from '../config/types.ts'
import { isFieldList } from './snippets.ts'

/**
 * SHA-256 of a definition, as 64 hexadecimal digits: says whether two configurations mean the same document.
 * The order of keys does not count, nor does that of `fields` and `omit` when they are lists, for they are sets:
 * an editor that sorts them must not ask for an install. The order of `id` makes the `_id`, and counts.
 * `brake` is left out: it says how carefully a daemon goes about it, not what a document is, so that changing it asks
 * for no install and no verify, and a daemon with the old value goes on working. Of `transform` its text counts: what it
 * calls cannot be seen.
 */
export function definitionHash(definition: DocumentDefinition): string {
  const { brake: _brake, transform, ...meaning } = definition
  const canonical = {
    ...withSets(meaning),
    ...(transform === undefined ? {} : { transform: String(transform) }),
  }
  return sha256(canonical)
}

/** The same of a schedule. `documents` is a set, too. */
export function scheduleHash({ documents, ...schedule }: ScheduleDefinition): string {
  return sha256({ ...schedule, ...(documents === undefined ? {} : { documents: documents.toSorted() }) })
}

function sha256(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/** Lists that are sets, sorted: of the row and of the rows related to it. */
function withSets<Row extends RowFields>(row: Row): Row {
  const { fields, omit, relations } = row
  const related =
    relations === undefined
      ? {}
      : {
          relations: Object.fromEntries(
            Object.entries(relations).map(([name, relation]) => [name, withSets(relation)]),
          ),
        }
  return {
    ...row,
    ...(fields !== undefined && isFieldList(fields) ? { fields: fields.toSorted() } : {}),
    ...(omit === undefined ? {} : { omit: omit.toSorted() }),
    ...related,
  }
}

/** JSON with sorted keys and without undefined values, as JSON.stringify leaves them out too. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
}
