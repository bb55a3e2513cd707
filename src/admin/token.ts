import { createHash, timingSafeEqual } from 'node:crypto'

/** What an Authorization header comes to. */
export type Shown = 'none' | 'right' | 'wrong'

/**
 * Compares by hashes, so that neither the time it takes nor the length says how much of a token is right.
 * @param token null: none is set, and any that is shown is wrong
 */
export function judgeToken(header: string | undefined, token: string | null): Shown {
  if (header === undefined) return 'none'
  const [, shown = ''] = /^Bearer +(\S+) *$/i.exec(header) ?? []
  const same = timingSafeEqual(digest(shown), digest(token ?? ''))
  return same && token !== null ? 'right' : 'wrong'
}

/** Eight hexadecimal digits that tell tokens apart and cannot be turned back into one: for log and audit. */
export function fingerprintOf(token: string): string {
  return digest(token).toString('hex').slice(0, 8)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
