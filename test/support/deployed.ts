import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const UNIT = join(import.meta.dirname, '../../deploy/systemd/sluice.service')

/**
 * What the unit of `deploy/systemd` sets for a daemon; the other files of `deploy` set the same. Measurements run daemons
 * with it, as users do.
 */
export function deployedEnvironment(): Readonly<Record<string, string>> {
  const settings = readFileSync(UNIT, 'utf8').matchAll(/^Environment=(\w+)=(.*)$/gm)
  return Object.fromEntries([...settings].map(([, name, value]) => [name, value]))
}
