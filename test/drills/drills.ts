import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../src/errors.ts'
import { closing, runProgram } from '../support/program.ts'
import { type Server, startElasticsearch } from '../support/servers/index.ts'
import { adopted } from './adoption.ts'
import { findPgDump } from './copies.ts'
import { failover, splitBrain } from './failover.ts'
import type { Figures } from './figures.ts'
import { beforeSwap, beforeTenant } from './forgotten.ts'
import { aliasMoved, dataRestored, deletedByHand, recreatedByHand, restoredOverClosed } from './indices.ts'
import { coldCopied, reinstalled, restoredDump, sequenceSetBack, silentCopy } from './restores.ts'
import { Scene } from './scene.ts'

const usage = `npm run drill -- <name…|all> [--json]

Identity drills: what becomes of the index when a database or an index is not the one it was. In each, an application
writes before, during and after; then every row is compared with its document. Printed is what an operator sees: the
output of sluice status, warnings of the daemon, and the runs that sluice asked for. Exit code 0 only if all agrees.
`

interface Drill {
  readonly about: string
  readonly run: (scene: Scene) => Promise<void>
  /** Major version of Postgres; null: something is missing here, as \`about\` says. */
  readonly postgres?: number | null
}

const dumps = await findPgDump()
/** pg_dump reads servers up to its own version; 15 to 18 are there. */
const dumped = dumps === null || dumps < 15 ? null : Math.min(dumps, 18)

const drills: Readonly<Record<string, Drill>> = {
  failover: { about: 'an asynchronous standby is promoted', run: failover },
  'split-brain': { about: 'a standby is promoted, and the old primary stays up', run: splitBrain },
  dump: {
    about: 'an older dump is restored into a new cluster (needs pg_dump and psql 15 or later in PATH)',
    run: (scene) => restoredDump(scene, dumped ?? 15),
    postgres: dumped,
  },
  'cold-copy': { about: 'an older copy of the data directory is started', run: coldCopied },
  'silent-copy': { about: 'the address leads to a copy, and no connection breaks', run: silentCopy },
  sequence: { about: 'the sequence of versions is set back by hand', run: sequenceSetBack },
  reinstall: {
    about: 'uninstalled and installed again',
    run: (scene) => reinstalled(scene, { keepIndices: false }),
  },
  'reinstall-kept': {
    about: 'uninstalled and installed again, the indices kept',
    run: (scene) => reinstalled(scene, { keepIndices: true }),
  },
  recreated: { about: 'the index is created again by hand', run: recreatedByHand },
  deleted: { about: 'the index is deleted by hand', run: deletedByHand },
  'before-swap': {
    about:
      'an older copy of the data directory is started: from before a reindex, and the index it knows is dropped',
    run: (scene) => beforeSwap(scene, '0'),
  },
  'before-swap-kept': {
    about: 'the same, and the index it knows is there',
    run: (scene) => beforeSwap(scene, '24h'),
  },
  'before-tenant': { about: 'the same, from before a tenant came', run: beforeTenant },
  adopt: { about: 'an index gives its name to an alias, while it is searched', run: adopted },
  alias: { about: 'the alias is moved by hand', run: aliasMoved },
  snapshot: { about: 'a snapshot is restored over the closed index', run: restoredOverClosed },
  data: { about: 'Elasticsearch starts with an older copy of its data', run: dataRestored },
}

interface Result extends Figures {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly problems: readonly string[]
  readonly seen: readonly string[]
  readonly log: readonly string[]
  readonly verifies: readonly { readonly state: string; readonly reason: string }[]
}

await runProgram(async () => {
  const options = readOptions()
  return options === null ? 0 : runAll(options)
})

interface Options {
  readonly names: readonly string[]
  readonly json: boolean
}

function readOptions(): Options | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help || positionals.length === 0) {
    const list = Object.entries(drills).map(([name, { about }]) => `  ${name.padEnd(15)} ${about}\n`)
    process.stdout.write(`${usage}\n${list.join('')}`)
    return null
  }
  const names = positionals.includes('all') ? Object.keys(drills) : positionals
  const unknown = names.find((name) => drills[name] === undefined)
  if (unknown !== undefined) {
    throw new UsageError(`there is no drill "${unknown}"`, {
      remedy: `There are: ${Object.keys(drills).join(', ')}.`,
    })
  }
  return { names, json: values.json }
}

async function runAll({ names, json }: Options): Promise<number> {
  const logs = await mkdtemp(join(tmpdir(), 'sluice-drills-'))
  const elasticsearch = await startElasticsearch({ heap: '512m', settings: { 'path.repo': tmpdir() } })
  closing.defer(() => elasticsearch.stop())
  let failed = 0
  for (const name of names) {
    const drill = drills[name]
    if (drill === undefined) continue
    if (drill.postgres === null) {
      process.stdout.write(
        json ? `${JSON.stringify({ name, skipped: drill.about })}\n` : `– ${name} skipped: ${drill.about}\n`,
      )
      continue
    }
    const result = await runOne(name, drill, elasticsearch, join(logs, name))
    if (!result.ok) failed += 1
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : text(drill, result))
  }
  if (failed === 0) await rm(logs, { recursive: true })
  else process.stderr.write(`logs of the daemons: ${logs}\n`)
  return failed === 0 ? 0 : 1
}

async function runOne(name: string, drill: Drill, elasticsearch: Server, logs: string): Promise<Result> {
  const begun = performance.now()
  const since = () => Math.round((performance.now() - begun) / 100) / 10
  const say = (what: string) => process.stderr.write(`${name} ${since().toFixed(1)} s  ${what}\n`)
  const nothing = { documents: 0, missing: 0, stale: 0, extra: 0 }
  let figures: Figures = nothing
  let verifies: Result['verifies'] = []
  const problems: string[] = []
  let log: readonly string[] = []
  let seen: readonly string[] = []
  try {
    const version = drill.postgres == null ? {} : { postgresVersion: drill.postgres }
    await using scene = await Scene.open({ name, elasticsearch, logs, say, ...version })
    seen = scene.seen
    try {
      await drill.run(scene)
      figures = await scene.compare()
      verifies = (await scene.verifies()).map(({ state, reason }) => ({ state, reason }))
    } finally {
      log = await scene.logged()
      problems.push(...scene.problems)
    }
  } catch (error) {
    problems.push(describeError(error))
  }
  return { name, ok: problems.length === 0, seconds: since(), ...figures, problems, seen, log, verifies }
}

function text({ about }: Drill, result: Result): string {
  const { name, ok, seconds, documents, missing, stale, extra, problems, seen, log, verifies } = result
  const lines = [
    `${ok ? '✔' : '✘'} ${name}: ${about}`,
    ...seen.map((line) => `    ${line}`),
    '    the daemon’s log:',
    ...[...new Set(log)].map((line) => `      ${line}`),
    '    runs that sluice asked for:',
    ...verifies.map(({ state, reason }) => `      verify ${state}: ${reason}`),
    `    ${documents} documents: ${missing} missing, ${stale} stale, ${extra} extra; ${seconds} s`,
    ...problems.map((problem) => `    ✘ ${problem}`),
  ]
  return `${lines.join('\n')}\n`
}
