import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

/**
 * The `sh` blocks of docs/deploy/, run by a shell from top to bottom as they are written, in a folder that has what a
 * project has, with /opt and /etc inside of that folder. Programs that need what is not here (a systemd, an engine, a
 * cluster, other packages) are stood in for by one that looks whether the files it is given are there. The end of each
 * guide says what else was run.
 */

const repository = join(import.meta.dirname, '../..')
const ABSENT = ['systemctl', 'journalctl', 'docker', 'kubectl', 'pm2', 'apt-get']

let scratch: string
let project: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sluice-docs-'))
  project = join(scratch, 'project')
  for (const folder of [
    'bin',
    'opt',
    'etc/systemd/system',
    'project/node_modules',
    'project/secrets/install',
  ])
    mkdirSync(join(scratch, folder), { recursive: true })
  for (const file of [
    'package.json',
    'package-lock.json',
    'sluice-0.1.0.tgz',
    'sluice.config.mts',
    'settings.env',
  ])
    writeFileSync(join(project, file), '')
  for (const file of ['ELASTICSEARCH_URL', 'ELASTICSEARCH_API_KEY', 'DATABASE_URL', 'install/DATABASE_URL'])
    writeFileSync(join(project, 'secrets', file), '')
  symlinkSync(repository, join(project, 'node_modules/sluice'))
  program('sudo', 'exec "$@"')
  // npm ci … [--prefix <folder>], which test/full/deploy-tarball.test.ts runs in earnest.
  program(
    'npm',
    `while [ $# -gt 0 ] && [ "$1" != --prefix ]; do shift; done
folder="\${2:-.}"
ls "$folder"/sluice-*.tgz >&2
mkdir -p "$folder/node_modules" && ln -sfn '${repository}' "$folder/node_modules/sluice"`,
  )
  // curl … -o <file>
  program('curl', 'touch "$4"')
  for (const name of ABSENT) program(name, look(name))
})
afterEach(() => rmSync(scratch, { recursive: true }))

function program(name: string, text: string): void {
  const file = join(scratch, 'bin', name)
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o755)
}

/** Complains of an argument, or what follows = in it, that names a file which is not there; writes down the rest. */
const look = (name: string) => `
for word; do
  path=\${word##*=}
  case "$path" in node_modules/*|secrets/*|kubernetes/*|/*|*.env)
    [ -e "$path" ] || { echo "there is no $path" >&2; exit 1; } ;;
  esac
done
echo ${name} "$@" >> '${scratch}/called'`

interface Ran {
  readonly status: number | null
  readonly said: string
  readonly called: readonly string[]
}

function run(page: string, change: (text: string) => string = (text) => text): Ran {
  const text = change(readFileSync(join(repository, 'docs/deploy', page), 'utf8'))
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block)
  const script = blocks.join('').replaceAll(/(?<![\w.])\/(opt|etc)\//g, `${scratch}/$1/`)
  const { status, stdout, stderr } = spawnSync('bash', ['-euxo', 'pipefail', '-c', script], {
    cwd: project,
    encoding: 'utf8',
    env: { PATH: [join(scratch, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter) },
  })
  const called = join(scratch, 'called')
  return {
    status,
    said: stdout + stderr,
    called: existsSync(called) ? readFileSync(called, 'utf8').trim().split('\n') : [],
  }
}

const analyzes = spawnSync('systemd-analyze', ['--version']).error === undefined

test('systemd.md', () => {
  if (!analyzes) program('systemd-analyze', 'true')
  const { status, said, called } = run('systemd.md')
  expect({ status, said }).toMatchObject({ status: 0 })
  for (const unit of ['sluice.service', 'sluice@.service'])
    expect(existsSync(join(scratch, 'etc/systemd/system', unit))).toBe(true)
  const unit = readFileSync(join(scratch, 'etc/systemd/system/sluice.service'), 'utf8')
  for (const name of ['DATABASE_URL', 'ELASTICSEARCH_URL', 'ELASTICSEARCH_API_KEY']) {
    expect(readFileSync(join(scratch, 'etc/credstore', `sluice.${name}`), 'utf8')).not.toBe('')
    expect(unit).toContain(`LoadCredential=${name}:sluice.${name}`)
  }
  expect(called).toContain('systemctl enable --now sluice@1 sluice@2')
})

test.each(['pm2.md', 'docker.md', 'kubernetes.md'])('%s', (page) => {
  const { status, said, called } = run(page)
  expect({ status, said }).toMatchObject({ status: 0 })
  expect(called.length).toBeGreaterThan(3)
})

test('a file that is not there is noticed', () => {
  const { status, said } = run('pm2.md', (text) => text.replaceAll('ecosystem.config.cjs', 'ecosystem.cjs'))
  expect({ status, said }).toMatchObject({
    status: 1,
    said: expect.stringContaining('there is no node_modules/sluice/deploy/pm2/ecosystem.cjs'),
  })
})
