import { createHash } from 'node:crypto'

/** Postgres cuts longer identifiers off without a word, and two of them could become one. */
const maxIdentifierBytes = 63

/** What a trigger is fired by. */
export type CaptureEvent = 'insert' | 'update' | 'delete' | 'truncate'

/**
 * Names of what `install` creates for one watched table of a document, unquoted. `source` is the relation
 * path, '' for the root table; a path is set off by a dot, which no document's name has.
 */
export function captureNames(schema: string, document: string, source: string) {
  const subject = source === '' ? document : `${document}.${source}`
  return {
    key: fitName(`key_${subject}`),
    row: fitName(`row_${subject}`),
    changed: fitName(`changed_${subject}`),
    function: (event: CaptureEvent) => fitName(`capture_${subject}_${event}`),
    trigger: (event: CaptureEvent) => fitName(`${schema}_${subject}_${event}`),
  }
}

/** Shortens a name that is too long to a readable head and a hash of the whole. */
function fitName(name: string): string {
  if (Buffer.byteLength(name) <= maxIdentifierBytes) return name
  const hash = fingerprint(name).slice(0, 10)
  let head = name
  while (Buffer.byteLength(head) + 1 + hash.length > maxIdentifierBytes)
    head = [...head].slice(0, -1).join('')
  return `${head}_${hash}`
}

/** Sixteen hexadecimal digits that tell whether a definition is the one that was installed. */
export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Comment on a function or view of ours: whose it is, and which definition. `install` and `uninstall` find them by it. */
export function objectComment(document: string, definition: string): string {
  return `Document ${document}, written by sluice install (${fingerprint(definition)})`
}

/** Reads such a comment; null where it is none. */
export function parseObjectComment(
  comment: string,
): { readonly document: string; readonly fingerprint: string } | null {
  const [, document, found] =
    /^Document (\S+), written by sluice install \(([0-9a-f]{16})\)$/.exec(comment) ?? []
  return document === undefined || found === undefined ? null : { document, fingerprint: found }
}
