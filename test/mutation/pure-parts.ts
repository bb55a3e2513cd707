import { globSync } from 'node:fs'
import parts from './pure-parts.json' with { type: 'json' }

/**
 * The pure parts: functions of their arguments, which unit tests can hold to their promises. `folders` count as a whole,
 * `files` stand for themselves, and `except` says of what is left out of both why it is.
 */
interface PureParts {
  readonly folders: readonly string[]
  readonly files: readonly string[]
  readonly except: Readonly<Record<string, string>>
}

export const pureParts: PureParts = parts

/** Paths of the pure parts' files from the repository's root, sorted. Those that only declare types are among them. */
export function pureFiles({ folders, files, except }: PureParts = pureParts): readonly string[] {
  const inFolders = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`))
  return [...inFolders, ...files].filter((file) => !(file in except)).sort()
}
