import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Ends what a commit is called where the working tree is not what it says. */
export const MODIFIED = '-modified'

/** What can change a figure: the program, how it is measured, and on which servers. */
const MEASURED = [
  'src',
  'migrations',
  'package-lock.json',
  'test/bench',
  'test/support/built.ts',
  'test/support/deployed.ts',
  'deploy/systemd/sluice.service',
  'test/support/servers',
]

/**
 * The last commit that changed what is measured: a report goes on after a change of the documentation. null where there is no
 * git, or no repository.
 */
export async function measuredCommit(directory: string): Promise<string | null> {
  const git = async (...args: readonly string[]) =>
    (await promisify(execFile)('git', [...args, '--', ...MEASURED], { cwd: directory })).stdout.trim()
  try {
    const commit = await git('log', '-1', '--format=%H')
    if (commit === '') return null
    const changes = await git('status', '--porcelain', '--untracked-files=no')
    return changes === '' ? commit : `${commit}${MODIFIED}`
  } catch {
    return null
  }
}
