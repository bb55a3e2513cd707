import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CommandWorld, commandWorld, type Started } from '../integration/cli-support.ts'
import { eventually } from '../support/context.ts'

/**
 * Guides that are walked through, typed as they are written, from top to bottom, each in a database of its own with a daemon.
 *
 * - An `sql` block is run.
 * - A `json` block with `documents` is the configuration from there on.
 * - Each line of an `sh` block is run by bash. It has to end with 0, or with N where a comment behind it says `exit code N`.
 *   `12` of a `runs` command is the last run. `sluice run` and whatever changes what is installed starts the daemon anew, with the configuration of now.
 * - Another `json` block is what the last command prints (`preview`: the document), sooner or later, for changes take a moment.
 *
 * Other here are only places: indices are called `<prefix>goods` for `goods`, HTTP has a free port.
 */
const guides = {
  'tenants.md': { indices: /\b(?:products|goods|wares)\b/g },
  'relations.md': { indices: /\bcatalog\b/g },
} as const

const main = join(import.meta.dirname, '../../src/cli/main.ts')
const TOKEN = 'c4naryTOKENc4naryTOKEN'
/** Of what was parked for a blocked index a trial is made after half a minute at most. */
const SOON = { timeoutMs: 180_000 }

let world: CommandWorld
let daemon: Started | null
beforeEach(async () => {
  world = await commandWorld({ ADMIN_PORT: '0', ADMIN_TOKEN: TOKEN })
  daemon = null
  const bin = join(world.place.folder, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'sluice'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`)
  await chmod(join(bin, 'sluice'), 0o755)
})
afterEach(() => world.drop())

interface Block {
  readonly language: string
  readonly text: string
}

async function blocksOf(page: string): Promise<readonly Block[]> {
  const text = await readFile(join(import.meta.dirname, '../../docs', page), 'utf8')
  return [...text.matchAll(/^```(sql|sh|json)\n([\s\S]*?)^```/gm)].map(([, language = '', block = '']) => ({
    language,
    text: block,
  }))
}

async function restart(): Promise<void> {
  await stop()
  const started = world.place.start(['run'])
  daemon = started
  await eventually(() => adminPort() !== undefined, { describe: started.output })
}

async function stop(): Promise<void> {
  daemon?.process.kill('SIGTERM')
  await daemon?.ended
}

/** The log says which one was free. */
const adminPort = () => /http:\/\/127\.0\.0\.1:(\d+)/.exec(daemon?.output() ?? '')?.[1]

interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function bash(line: string): Promise<Said> {
  const { place, db, search } = world
  const child = spawn('bash', ['-c', line.replace('localhost:9187', `localhost:${adminPort()}`)], {
    cwd: place.folder,
    env: {
      PATH: [join(place.folder, 'bin'), process.env.PATH].join(delimiter),
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      NO_COLOR: '1',
      DATABASE_URL: db.url,
      ELASTICSEARCH_URL: search.url,
      ADMIN_TOKEN: TOKEN,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = [readText(child.stdout), readText(child.stderr)]
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: await stdout, stderr: await stderr }
}

async function printed(line: string): Promise<unknown> {
  const { code, stdout, stderr } = await bash(line)
  const value: unknown = code === 0 ? JSON.parse(stdout) : { code, stdout, stderr }
  return line.startsWith('sluice preview ') ? (value as { document?: unknown }).document : value
}

/** As the reader who looks at `sluice runs list` first: of a document there is one run at a time. */
async function quiet(): Promise<void> {
  await eventually(
    async () => {
      const { rowCount } = await world.db.pool.query(
        `SELECT FROM sluice.sync_run WHERE state IN ('requested', 'running', 'cancelling')`,
      )
      return rowCount === 0
    },
    { ...SOON, describe: () => daemon?.output() },
  )
}

async function lastRun(): Promise<string> {
  const { rows } = await world.db.pool.query<{ id: string }>(
    'SELECT max(id)::text AS id FROM sluice.sync_run',
  )
  return rows[0]?.id ?? ''
}

async function type(line: string): Promise<string> {
  if (line.startsWith('sluice run ') || line === 'sluice run') {
    await restart()
    return line
  }
  const [command = ''] = line.split(/\s+#/)
  const wanted = Number(/#.*\bexit code (\d)/.exec(line)?.[1] ?? 0)
  const preview = command.startsWith('sluice preview ') ? `${command} --json` : command
  const asked = preview.startsWith('sluice runs ') ? preview.replace(/\b12\b/, await lastRun()) : preview
  if (/^sluice (backfill|verify|reindex|uninstall)\b/.test(command)) await quiet()
  const { code, stdout, stderr } = await bash(asked)
  expect(code, `${line}\n${stdout}${stderr}`).toBe(wanted)
  if (command.startsWith('curl') && !command.includes('filter_path'))
    expect(stdout, line).not.toMatch(/"error": ?[{"]/)
  if (/^sluice (install|uninstall)\b/.test(command) && daemon !== null) await restart()
  return asked
}

test.each(Object.entries(guides))(
  'docs/%s does what it says',
  { timeout: 1_200_000 },
  async (page, guide) => {
    const blocks = await blocksOf(page)
    expect(blocks.length).toBeGreaterThan(10)
    const placed = (text: string) => text.replaceAll(guide.indices, (name) => `${world.search.prefix}${name}`)
    let last = ''
    for (const { language, text } of blocks) {
      if (language === 'sql') await world.db.pool.query(text)
      else if (language === 'sh') for (const line of text.trim().split('\n')) last = await type(placed(line))
      else if (Object.hasOwn(JSON.parse(text), 'documents'))
        await world.place.write('sluice.config.json', placed(text))
      else {
        await eventually(async () => expect(await printed(last)).toEqual(JSON.parse(text)), {
          ...SOON,
          describe: () => `${last}\n${daemon?.output()}`,
        })
      }
    }
    await stop()
    expect((await daemon?.ended)?.code).toBe(0)
  },
)
