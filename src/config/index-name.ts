/** Names of indices and aliases: what Elasticsearch accepts, and when two of ours would meet. Pure. */
import { isTenantPattern, TENANT } from './tenant-index.ts'

/** Elasticsearch's limit, in UTF-8 bytes, less what a physical name appends: `-20260801030000-k3x9qa`. */
export const maxIndexNameBytes = 255 - 22

/**
 * What Elasticsearch refuses (MetadataCreateIndexService.validateIndexOrAliasName), and braces: it would take them,
 * but `cities-{tenant}` stands for many indices, and nobody means one of that name.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const forbidden = /[\\/*?"<>|,#:{}\s\u0000-\u001f\u007f]/u

/** Why a name cannot be an index or alias (`may not contain "*"`), or null. */
export function indexNameProblem(name: string): string | null {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'may not be "." or ".."'
  if (name !== name.toLowerCase()) return 'must be lower case'
  if (/^[-_+]/.test(name)) return 'may not start with "-", "_" or "+"'
  const found = forbidden.exec(name)
  if (found) return `may not contain ${JSON.stringify(found[0])}`
  if (Buffer.byteLength(name) > maxIndexNameBytes) return `is longer than ${maxIndexNameBytes} bytes`
  return null
}

/** The same for what a configuration says, which may be a pattern: `cities-{tenant}`. */
export function indexProblem(index: string): string | null {
  if (!isTenantPattern(index)) return indexNameProblem(index)
  // Null and others begin with "_", which Elasticsearch takes everywhere but at the beginning.
  if (index.startsWith(TENANT)) return `may not start with ${TENANT}`
  if (index.split(TENANT).length > 2) return `may have only one ${TENANT}`
  return indexNameProblem(index.replace(TENANT, 'x'))
}

/**
 * Whether two indices get in each other's way: their aliases are equal, or some name fits both template patterns
 * (`cities-2*-*`), so that Elasticsearch refuses the second template, or one's physical indices get the other's.
 *
 * Both patterns are a fixed beginning and then `*-*`, or for tenants (`cities-*-2*-*`) a beginning and more. A name fits both only if it begins with both, so one beginning
 * is the beginning of the other; and then the longer one followed by `-` fits both. An alias that is a physical name of
 * the other begins like it, and is found by the same rule. So `cities` meets `cities-2` and `cities-2026`, and does
 * not meet `cities-old` or `cities2`; `cities-{tenant}` meets all that begin with `cities-`, and `cities`.
 */
export function indicesOverlap(a: string, b: string): boolean {
  const beginnings = [beginningOf(a), beginningOf(b)] as const
  return beginnings[0].startsWith(beginnings[1]) || beginnings[1].startsWith(beginnings[0])
}

function beginningOf(index: string): string {
  const [before] = index.split(TENANT)
  return isTenantPattern(index) && before !== undefined ? before : `${index}-2`
}
