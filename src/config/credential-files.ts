import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { type Variable, variables } from './variables.ts'

const names: ReadonlySet<string> = new Set(Object.values<Variable>(variables).map(({ name }) => name))

/**
 * Settings that stand in files of one directory, each named as its variable: systemd's LoadCredential= (which sets
 * CREDENTIALS_DIRECTORY itself), secrets of containers, a mounted Secret of Kubernetes. A process's environment is seen by
 * whoever may look at the process, and inherited by its children; a file is neither, and can be replaced while we run.
 *
 * Other files of the directory are nobody's business. An empty file counts as not there, as a variable that is set to
 * nothing does. A ConfigError names directory or file, and never what is in it.
 */
export async function readCredentialFiles(directory: string): Promise<ReadonlyMap<string, string>> {
  const present = await readdir(directory).catch((error: unknown) => {
    throw new ConfigError(`cannot be read: ${messageOf(error)}`, { where: 'CREDENTIALS_DIRECTORY' })
  })
  const read = present
    .filter((name) => names.has(name))
    .map(async (name) => [name, await credentialIn(join(directory, name))] as const)
  return new Map((await Promise.all(read)).filter(([, text]) => text !== ''))
}

async function credentialIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new ConfigError(`cannot be read: ${messageOf(error)}`, { where: file })
  })
  const value = text.trim()
  // Such as a whole .env, or a key with its armour: no variable takes that, and some would show it in their message.
  if (/[\r\n\0]/.test(value)) {
    throw new ConfigError('holds several lines, expected the value alone', { where: file })
  }
  return value
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
