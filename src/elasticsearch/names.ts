/** Names of what sluice creates in Elasticsearch. */
import { TENANT } from '../config/tenant-index.ts'

/**
 * Physical index of an alias: `cities-20260801030000-k3x9qa`. The clock makes it readable, the random part
 * makes it unique: a physical name is never used twice (invariant 13).
 * @param random lower-case letters and digits
 */
export function physicalName(alias: string, now: Date, random: string): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14)
  return `${alias}-${stamp}-${random}`
}

/** Name of the index template that guards the physical indices of an alias, or of all tenants' (`cities-{tenant}`). */
export function templateName(index: string): string {
  return `sluice-${index}`
}

/** Pattern of those physical indices: their stamp starts with the millennium, so a sibling `cities-old` is not one. */
export function templatePattern(index: string): string {
  return `${index.replace(TENANT, '*')}-2*-*`
}
