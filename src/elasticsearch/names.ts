/** Names of what sluice creates in Elasticsearch. */

/** Length of what `physicalName` appends, with a random part of six characters: `-20260801030000-k3x9qa`. */
const suffixLength = 22

/** Elasticsearch's limit for an index name, in UTF-8 bytes. */
const maxNameBytes = 255

/** Characters no index or alias may contain; white space and control characters beside them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const forbidden = /[\\/*?"<>|,#:\s\u0000-\u001f\u007f]/u

/**
 * Physical index of an alias: `cities-20260801030000-k3x9qa`. The clock makes it readable, the random part
 * makes it unique: a physical name is never used twice (invariant 13).
 * @param random lower-case letters and digits
 */
export function physicalName(alias: string, now: Date, random: string): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14)
  return `${alias}-${stamp}-${random}`
}

/** Why Elasticsearch would refuse this name for an index or its alias, or null. */
export function indexNameProblem(name: string): string | null {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'may not be "." or ".."'
  if (name !== name.toLowerCase()) return 'must be lower case'
  if (/^[-_+]/.test(name)) return 'may not start with "-", "_" or "+"'
  const found = forbidden.exec(name)
  if (found) return `may not contain ${JSON.stringify(found[0])}`
  const room = maxNameBytes - suffixLength
  if (Buffer.byteLength(name) > room) return `is longer than ${room} bytes`
  return null
}

/** Name of the index template that guards an alias' physical indices. */
export function templateName(alias: string): string {
  return `sluice-${alias}`
}

/** Pattern of an alias' physical indices: their stamp starts with the millennium, so a sibling `cities-old` is not one. */
export function templatePattern(alias: string): string {
  return `${alias}-2*-*`
}
