import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Ends what a commit is called where the working tree is not what it says. */
export const MODIFIED = '-modified'

/** Of the source that is measured; null where there is no git, or no repository. */
export async function currentCommit(directory: string): Promise<string | null> {
  const git = async (...args: readonly string[]) =>
    (await promisify(execFile)('git', args, { cwd: directory })).stdout.trim()
  try {
    const commit = await git('rev-parse', 'HEAD')
    return (await git('status', '--porcelain', '--untracked-files=no')) === ''
      ? commit
      : `${commit}${MODIFIED}`
  } catch {
    return null
  }
}
