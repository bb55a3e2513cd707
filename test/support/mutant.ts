import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A change that breaks the program on purpose. */
export interface Mutation {
  /** Path below src/. */
  readonly file: string
  /** Text that must be there exactly once. */
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  /** Directory of the copy; its `src/` is the broken program. */
  readonly root: string
  /** Imports a module of the copy. */
  load<Module>(file: string): Promise<Module>
  remove(): Promise<void>
}

const PROJECT = join(import.meta.dirname, '../..')

/**
 * A copy of the program with mutations applied, for tests of the tests: a promise's test must fail on a program
 * that breaks the promise. A mutation that no longer applies fails here, so that it cannot silently prove nothing.
 */
export async function createMutant(mutations: readonly Mutation[]): Promise<Mutant> {
  // Below the project, for the copy's imports to find node_modules; not in node_modules, where types are not stripped.
  const home = join(PROJECT, 'test/.mutants')
  await mkdir(home, { recursive: true })
  const root = await mkdtemp(join(home, 'mutant-'))
  await cp(join(PROJECT, 'src'), join(root, 'src'), { recursive: true })
  await cp(join(PROJECT, 'migrations'), join(root, 'migrations'), { recursive: true })
  for (const file of ['package.json', 'tsconfig.json', 'tsconfig.build.json'])
    await cp(join(PROJECT, file), join(root, file))
  for (const { file, find, replace } of mutations) {
    const path = join(root, 'src', file)
    const text = await readFile(path, 'utf8')
    const occurrences = text.split(find).length - 1
    if (occurrences !== 1)
      throw new Error(`mutation of ${file}: found ${occurrences} times, expected once: ${find}`)
    await writeFile(
      path,
      text.replace(find, () => replace),
    )
  }
  return {
    root,
    load: (file) => import(pathToFileURL(join(root, 'src', file)).href),
    remove: () => rm(root, { recursive: true, force: true }),
  }
}
