import { duplicateKeys } from '../config/duplicate-keys.ts'

/**
 * Why Elasticsearch takes no document of this JSON text, or null: a name that stands twice in an object, as a `json`
 * column (not `jsonb`) keeps it. Parsing would drop the first and show a document that nothing is wrong with.
 */
export function jsonProblem(json: string): string | null {
  const [path] = duplicateKeys(json)
  if (path === undefined) return null
  const name = path.slice(path.lastIndexOf('.') + 1)
  return `"${path}" stands twice in it: Elasticsearch refuses the document (Duplicate field '${name}'). Cast the column to jsonb, which keeps the last`
}
