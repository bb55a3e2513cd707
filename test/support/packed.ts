import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool } from './servers/run-tool.ts'

const repository = join(import.meta.dirname, '../..')

/** All that the package is built from and made of. */
const PARTS = ['src', 'migrations', 'deploy', 'docs', 'examples']
const FILES = ['package.json', 'tsconfig.json', 'tsconfig.build.json', '.env.example']
const PAGES = ['README.md', 'CHANGELOG.md', 'LICENSE']

export interface Packed {
  /** The path of `sluice-<version>.tgz`. */
  readonly tarball: string
  /** What is in it, relative to the package. */
  readonly paths: readonly string[]
}

/**
 * Packs the package into a folder, as `npm pack` in a clone does. In a copy: the build of prepack begins by removing
 * `dist`, under the feet of any other test that packs at the same time.
 */
export async function packed(destination: string): Promise<Packed> {
  const copy = await mkdtemp(join(tmpdir(), 'sluice-pack-'))
  try {
    for (const name of [...PARTS, ...FILES, ...PAGES])
      await cp(join(repository, name), join(copy, name), { recursive: true })
    await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'))
    await mkdir(destination, { recursive: true })
    const listing = join(copy, 'listing')
    // What the build of prepack says goes to standard error.
    await runTool('sh', ['-c', 'npm pack --json --pack-destination "$0" > "$1"', destination, listing], {
      cwd: copy,
    })
    const [one]: { filename: string; files: { path: string }[] }[] = Object.values(
      JSON.parse(await readFile(listing, 'utf8')),
    )
    if (one === undefined) throw new Error('npm pack made nothing')
    return { tarball: join(destination, one.filename), paths: one.files.map(({ path }) => path) }
  } finally {
    await rm(copy, { recursive: true })
  }
}
