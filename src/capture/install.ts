import type pg from 'pg'
import { applyInstall, type InstallRun, type InstallTarget } from './apply-install.ts'
import { withInstallLock } from './install-lock.ts'
import { type InstallInput, type InstallPlan, planInstall } from './plan-install.ts'

export interface InstallOptions extends InstallInput, InstallTarget {
  /** Plan only: nothing is changed. */
  readonly dryRun: boolean
  /** Shown the plan before it is carried out. */
  readonly onPlan: (plan: InstallPlan) => void
}

export interface InstallResult {
  readonly plan: InstallPlan
  readonly runs: readonly InstallRun[]
}

/** Makes database and Elasticsearch as the configuration wants them. Two at once follow each other. */
export async function install(options: InstallOptions): Promise<InstallResult> {
  const { pool, schema, dryRun, onPlan, onWait } = options
  const prepare = async () => {
    const plan = await plannedBy(pool, options)
    onPlan(plan)
    return plan
  }
  if (dryRun) return { plan: await prepare(), runs: [] }
  return withInstallLock(pool, schema, onWait, async () => {
    const plan = await prepare()
    const runs = await applyInstall(plan, options)
    await options.also?.apply()
    return { plan, runs }
  })
}

async function plannedBy(pool: pg.Pool, input: InstallInput): Promise<InstallPlan> {
  const client = await pool.connect()
  try {
    return await planInstall(client, input)
  } finally {
    client.release()
  }
}
