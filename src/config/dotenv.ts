import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'dotenv'
import { ConfigError } from '../errors.ts'
import { readCredentialFiles } from './credential-files.ts'
import type { Layers } from './merge.ts'

/**
 * The environment; under it the files of CREDENTIALS_DIRECTORY, if that is set; and under those the `.env` of the folder
 * where sluice is started. process.env stays as it is.
 */
export async function readEnvironment(
  cwd: string,
  env: Layers['environment'],
): Promise<Pick<Layers, 'environment' | 'fromFiles'>> {
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
  const directory = set.CREDENTIALS_DIRECTORY
  const credentials =
    directory === undefined ? new Map<string, string>() : await readCredentialFiles(directory)
  const fromFiles = new Map<string, string>()
  for (const name of Object.keys(dotenv)) fromFiles.set(name, '.env')
  for (const name of credentials.keys()) fromFiles.set(name, 'CREDENTIALS_DIRECTORY')
  for (const name of Object.keys(set)) fromFiles.delete(name)
  return { environment: { ...dotenv, ...Object.fromEntries(credentials), ...set }, fromFiles }
}
