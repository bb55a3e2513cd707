import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FailedError } from '../../../src/errors.ts'
import { cached } from './cache.ts'
import { runTool } from './run-tool.ts'

export interface Distribution {
  /** `group:artifact:version:zip` */
  readonly artifact: string
  /** Megabytes, for the line that says what is being waited for. */
  readonly megabytes: number
}

/** The unpacked distribution: fetched through Maven the first time, from our cache ever after. */
export function distribution({ artifact, megabytes }: Distribution): Promise<string> {
  const [, name, version] = artifact.split(':')
  return cached(`${name}-${version}`, async (directory) => {
    report(`fetching ${name} ${version} through Maven, once (${megabytes} MB)`)
    await maven(['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${directory}`])
    const zip = (await readdir(directory)).find((file) => file.endsWith('.zip')) ?? ''
    await unzip(join(directory, zip), directory)
    await rm(join(directory, zip))
    // The archive holds one folder, named as the cache entry will be: its contents move up.
    const [inner = ''] = await readdir(directory)
    for (const entry of await readdir(join(directory, inner)))
      await rename(join(directory, inner, entry), join(directory, entry))
    await rm(join(directory, inner), { recursive: true })
  })
}

/** Runs Maven with the settings that the user has; registries and proxies are its business. */
export async function maven(args: readonly string[], cwd?: string): Promise<void> {
  await runTool('mvn', ['-q', '-B', '-Dstyle.color=never', ...args], cwd === undefined ? {} : { cwd }).catch(
    missing('Maven', 'maven'),
  )
}

async function unzip(file: string, directory: string): Promise<void> {
  await runTool('unzip', ['-q', file, '-d', directory]).catch(missing('unzip', 'unzip'))
}

/** Progress of the first run, on standard error: standard output may be read by a program. */
export function report(line: string): void {
  process.stderr.write(`${line}\n`)
}

function missing(tool: string, debianPackage: string): (error: unknown) => never {
  return (error) => {
    const cause = error instanceof FailedError ? error.cause : undefined
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw error
    throw new FailedError(`${tool} is needed to fetch the search server, and was not found`, {
      cause,
      remedy: `install it (Debian, Ubuntu: apt-get install ${debianPackage}), or set ELASTICSEARCH_URL to a server of yours`,
    })
  }
}
