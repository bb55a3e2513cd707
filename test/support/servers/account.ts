import { statSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { dirname } from 'node:path'

/** User and group that servers run as; null: our own. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Neither Postgres nor Elasticsearch runs as root: then they run as `nobody`, which every Linux has. */
export const serverAccount: Account | null = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : null

/** Gives a file or an (empty) directory to the servers' account. */
export async function handOver(path: string): Promise<void> {
  if (serverAccount) await chown(path, serverAccount.uid, serverAccount.gid)
}

/** Whether the servers' account can get at this path: a clone below /root, for one, is closed to it. */
export function isReachable(path: string): boolean {
  if (!serverAccount) return true
  if ((statSync(path).mode & 0o001) === 0) return false
  const parent = dirname(path)
  return parent === path || isReachable(parent)
}
