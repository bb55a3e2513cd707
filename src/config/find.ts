import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ConfigError } from '../errors.ts'

/** Names a configuration may have, in the folder where sluice is started. */
const configFileNames = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `sluice.config.${extension}`)

/**
 * Absolute path of the configuration file: the one named, or the only one of the known names in `cwd`; null when
 * there is none. Throws a ConfigError when the named one is missing, or several are there.
 */
export async function findConfigFile(cwd: string, named?: string): Promise<string | null> {
  if (named !== undefined) {
    const file = resolve(cwd, named)
    const found = await stat(file).catch(() => null)
    if (found?.isFile()) return file
    throw new ConfigError(`${found === null ? 'there is no such file' : 'it is not a file'}: ${file}`, {
      where: '--config',
      remedy: 'Name a configuration file, or leave --config out to use the one in this folder.',
    })
  }
  const present = await Promise.all(
    configFileNames.map(async (name) => {
      const file = resolve(cwd, name)
      return access(file).then(
        () => [file],
        () => [],
      )
    }),
  )
  const [file, ...others] = present.flat()
  if (others.length > 0) {
    throw new ConfigError(`found ${[file, ...others].join(' and ')}, expected one of them`, {
      remedy: 'Remove the other, or name one with --config.',
    })
  }
  return file ?? null
}

/** For commands that cannot do without. */
export function noConfigFile(cwd: string): ConfigError {
  return new ConfigError(`there is no sluice.config.ts (or .mts, .js, .mjs, .json) in ${cwd}`, {
    remedy: 'sluice init proposes one from your database; --config names one elsewhere.',
  })
}
