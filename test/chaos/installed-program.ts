import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { builtMain } from '../support/built.ts'
import { deployedEnvironment } from '../support/deployed.ts'
import { type Daemons, plainEnvironment, prepareDaemons } from './daemons.ts'

interface InstallOptions {
  /** Directory whose `src/` is the program; default: this project. */
  readonly program?: string | undefined
  /** Path of the configuration. */
  readonly config: string
  /** Where commands run and the daemons' logs go. */
  readonly logs: string
  readonly daemons: number
  /** Of the daemons, beside what `deploy` sets. */
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** Takes the daemons. */
  readonly closing: AsyncDisposableStack
}

export interface InstalledProgram {
  /** The path of the program's command, and how to run it. */
  readonly main: string
  readonly place: { readonly config: string; readonly cwd: string; readonly env: NodeJS.ProcessEnv }
  /** None is started yet. */
  readonly daemons: Daemons
}

/** Builds the program, installs its configuration and prepares its daemons, all as its users do. */
export async function installProgram(options: InstallOptions): Promise<InstalledProgram> {
  const { config, logs, daemons: count, closing } = options
  const main = await builtMain(options.program)
  // A daemon is killed and started every two seconds: what is compiled once need not be compiled again.
  const env = { ...plainEnvironment(), NODE_COMPILE_CACHE: join(logs, 'compiled') }
  // Time-outs are for the daemons: an index is created as slowly as the machine is busy.
  const patient = { ...env, REQUEST_TIMEOUT: '60000' }
  await promisify(execFile)(process.execPath, [main, 'install', '--config', config], {
    cwd: logs,
    env: patient,
  })
  const environment = { ...deployedEnvironment(), ...env, ...options.environment }
  const daemons = await prepareDaemons({ main, config, logs, count, environment })
  closing.defer(() => daemons.end())
  return { main, place: { config, cwd: logs, env }, daemons }
}
