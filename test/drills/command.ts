import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { plainEnvironment } from '../chaos/daemons.ts'

/** The program. */
export const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** Runs a command of it, in this folder. */
export async function runCommand(
  args: readonly string[],
  { config, folder }: { readonly config: string; readonly folder: string },
): Promise<{ code: number; text: string }> {
  const place = { cwd: folder, env: plainEnvironment() }
  const command = [main, ...args, '--config', config]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command, place)
    return { code: 0, text: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, text: `${stdout}${stderr}` }
  }
}
