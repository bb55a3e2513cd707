import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'dotenv'
import { ConfigError } from '../errors.ts'
import type { Layers } from './merge.ts'

/** The environment, and under it the `.env` of the folder where sluice is started. process.env stays as it is. */
export async function readEnvironment(
  cwd: string,
  env: Layers['environment'],
): Promise<Pick<Layers, 'environment' | 'fromDotenv'>> {
  const file = join(cwd, '.env')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw new ConfigError(`cannot be read: ${error instanceof Error ? error.message : error}`, {
      where: file,
    })
  })
  const dotenv = parse(text)
  // A variable that is set to nothing hides none.
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
  return {
    environment: { ...dotenv, ...set },
    fromDotenv: new Set(Object.keys(dotenv).filter((name) => !(name in set))),
  }
}
