/** Names of what sluice creates in Elasticsearch. */

/**
 * Physical index of an alias: `cities-20260801030000-k3x9qa`. The clock makes it readable, the random part
 * makes it unique: a physical name is never used twice (invariant 13).
 * @param random lower-case letters and digits
 */
export function physicalName(alias: string, now: Date, random: string): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14)
  return `${alias}-${stamp}-${random}`
}

/** Name of the index template that guards an alias' physical indices. */
export function templateName(alias: string): string {
  return `sluice-${alias}`
}

/** Pattern of an alias' physical indices: their stamp starts with the millennium, so a sibling `cities-old` is not one. */
export function templatePattern(alias: string): string {
  return `${alias}-2*-*`
}
