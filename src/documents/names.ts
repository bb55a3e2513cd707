import { createHash } from 'node:crypto'

/** Postgres cuts longer identifiers off without a word, and two of them could become one. */
const maxIdentifierBytes = 63

/** `document_city` */
export function viewName(document: string): string {
  return fitName(`document_${document}`)
}

/** `links_city.reviews.author`: a document's name has no dot, so that no other source is called so. */
export function linksName(document: string, source: string): string {
  return fitName(`links_${document}.${source}`)
}

/** A name that is too long is shortened to a head and a hash of the whole. */
function fitName(name: string): string {
  if (Buffer.byteLength(name) <= maxIdentifierBytes) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 10)
  let head = name
  while (Buffer.byteLength(head) > maxIdentifierBytes - 1 - hash.length)
    head = [...head].slice(0, -1).join('')
  return `${head}_${hash}`
}
