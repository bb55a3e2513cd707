/** Names of indices that hold one tenant each: `cities-{tenant}` stands for an alias for each value of a column. Pure. */

export const TENANT = '{tenant}'

/** No value is escaped to these: after `_` they have what is no hexadecimal byte. */
const NULL = '_null'
const EMPTY = '_empty'

export function isTenantPattern(index: string): boolean {
  return index.includes(TENANT)
}

/**
 * Alias of a tenant's index. Injective, so that two tenants never share one: `a` to `z` and digits stay, each other byte
 * of UTF-8 is `_` and two hexadecimal digits (`Zürich` → `_5a_c3_bcrich`). Never a `-`, so that no tenant's alias can be
 * another one's physical index.
 */
export function tenantAlias(pattern: string, tenant: string | null): string {
  return pattern.replace(TENANT, () => escaped(tenant))
}

/** Tenant of an alias; undefined where it is none of this pattern's. */
export function tenantOfAlias(pattern: string, alias: string): string | null | undefined {
  const [before = '', after = ''] = pattern.split(TENANT)
  const tenant = tenantOf(alias.slice(before.length, alias.length - after.length))
  return tenantAlias(pattern, tenant) === alias ? tenant : undefined
}

function escaped(tenant: string | null): string {
  if (tenant === null) return NULL
  if (tenant === '') return EMPTY
  if (/^[a-z0-9]*$/.test(tenant)) return tenant
  let text = ''
  for (const byte of Buffer.from(tenant)) {
    const char = String.fromCharCode(byte)
    text += /[a-z0-9]/.test(char) ? char : `_${byte.toString(16).padStart(2, '0')}`
  }
  return text
}

function tenantOf(text: string): string | null {
  if (text === NULL) return null
  if (text === EMPTY) return ''
  const bytes = text.replace(/_([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}
