import { pino } from 'pino'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { DEFAULT_ALERTS } from '../../src/config/alerts.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { evaluateAlerts } from '../../src/sync/watch-alerts.ts'
import { change, TOKEN } from '../integration/admin-world.ts'
import { workspace } from '../integration/cli-support.ts'
import { eventually } from '../support/context.ts'
import { findChromium } from './chromium.ts'
import { type DashboardWorld, dashboardWorld, logIn } from './dashboard-world.ts'
import { type Plots, plotsOf, WATCH_PLOTS } from './plots.ts'
import { watchSnapshots } from './snapshots.ts'

/**
 * What changes on a page that stays open, by server-sent events alone. A snapshot comes every two seconds, and the tests do
 * little but wait for one: they run beside each other, each on what no other touches.
 */

const missing = findChromium() === null

// By name, so that a run without it is not taken for a run with it.
if (missing) test.skip('chromium is not installed (Debian package "chromium")')

describe.skipIf(missing).concurrent('an open page', () => {
  let world: DashboardWorld
  beforeAll(async () => {
    world = await dashboardWorld()
    await world.sql("INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 20) n")
    await world.settled()
  })
  afterAll(() => world?.drop())

  const rows = async (text: string) => (await world.database.pool.query(text)).rows

  test('draws each look as a point: plots and what stands beside them are what the snapshot says', async ({
    expect,
    onTestFinished,
  }) => {
    const [{ opened }] = await rows('SELECT clock_timestamp()::text AS opened')
    const { seen, stop } = watchSnapshots(world.admin.url)
    onTestFinished(stop)
    const { page } = await world.open(
      world.admin.url,
      { viewport: { width: 1280, height: 1400 } },
      WATCH_PLOTS,
    )
    onTestFinished(() => page.context().close())
    /** The plots, once they are as they should be. */
    const plots = (holds: (plots: Plots) => void) =>
      eventually(async () => {
        const now = await plotsOf(page, 'item')
        holds(now)
        return now
      })

    const before = await plots((now) => {
      expect(now.Pending?.captions).toEqual(['keys 0'])
      expect(now.Lag?.captions[1]).toBe('oldest waiting –')
      expect(now.Rate?.captions).toHaveLength(2)
    })
    expect(before.Pending?.tops[0]).toBeGreaterThan(0.9)
    expect(before.Lag?.tops[1]).toBe(null)
    // The first rows, and perhaps the backfill of the install: less than one a second.
    expect(before.Rate?.tops[0]).toBeGreaterThan(0.25)

    await world.sql(`SELECT sluice.pause('item', 'for a test')`)
    await world.sql(`INSERT INTO item SELECT n, 'more' FROM generate_series(1001, 1200) n`)
    const waiting = await plots((now) => {
      expect(now.Pending?.captions).toEqual(['keys 200'])
      expect(now.Pending?.tops[0]).toBeLessThan(0.2)
      expect(now.Lag?.captions[1]).toMatch(/^oldest waiting \d/)
      expect(now.Lag?.tops[1]).toEqual(expect.any(Number))
    })
    expect(await rows('SELECT pending_keys FROM sluice.sync_stats')).toContainEqual({ pending_keys: '200' })
    expect(waiting.Pending?.name).toBe('Pending of the last minutes: keys 200')
    const age = Number(waiting.Lag?.data[2]?.at(-1))

    await world.sql(`SELECT sluice.resume('item')`)
    const lagsOf = ({ Lag }: Plots) => (Lag?.data[1] ?? []).filter((value) => typeof value === 'number')
    const answered = await plots((now) => {
      expect(now.Pending?.captions).toEqual(['keys 0'])
      expect(Math.max(...lagsOf(now))).toBeGreaterThan(age / 2)
      expect(now.Lag?.tops[0]).toEqual(expect.any(Number))
      expect(Number(now.Rate?.captions[0]?.split(' ')[1])).toBeGreaterThan(3)
    })
    expect(answered.Rate?.captions[1]).toBe('failed/s 0')
    expect(answered.Rate?.tops[0]).toBeLessThan(0.2)
    for (const plot of Object.values(answered)) expect(plot?.captions).toEqual(plot?.last)

    // By the log, of which sync_lag is made too: each point is an average of some of it.
    const [logged] = await rows(`SELECT min(lag_ms) AS least, max(lag_ms) AS most
      FROM sluice.sync_log WHERE document = 'item' AND at > '${opened}'`)
    expect(Math.min(...lagsOf(answered))).toBeGreaterThan(logged.least - 0.001)
    expect(Math.max(...lagsOf(answered))).toBeLessThan(logged.most + 0.001)

    const columns = (of: string) => answered[of]?.data ?? []
    const drawn = columns('Pending')[0]?.map((time, n) => ({
      time,
      pending: columns('Pending')[1]?.[n],
      waiting: columns('Lag')[2]?.[n],
      rates: [columns('Rate')[1]?.[n], columns('Rate')[2]?.[n]],
    }))
    const told = seen.flatMap(({ at, known }) => {
      const item = known?.status.documents.find(({ name }) => name === 'item')
      return item === undefined
        ? []
        : {
            time: Date.parse(at) / 1000,
            pending: item.pendingKeys,
            waiting: item.oldestPendingMs,
            rates: [item.syncedLastMinute / 60, item.failedLastMinute / 60],
          }
    })
    const both = drawn?.filter(({ time }) => told.some((one) => one.time === time)) ?? []
    expect(both.length).toBeGreaterThan(1)
    expect(told).toEqual(expect.arrayContaining(both))
  })

  test('shows what is wrong with a document at the top, and no longer once it is mended', async ({
    expect,
    onTestFinished,
  }) => {
    const other: DocumentDefinition = { table: 'other', index: `${world.server.prefix}other` }
    await world.sql(`CREATE TABLE other (id int PRIMARY KEY, name text)`)
    await world.sql(`INSERT INTO other VALUES (1, 'one'), (2, 'two')`)
    const documents = new Map([
      ['item', world.definition],
      ['other', other],
    ])
    const server = await world.serve({ configured: { documents, schedules: new Map() } })
    if (server === null) throw new Error('no free port')
    const { page } = await world.open(server.url)
    onTestFinished(() => page.context().close())
    const alert = (hasText: string) => page.locator('#alerts li', { hasText })
    const card = page.locator('#document-list article', { has: page.locator('h3', { hasText: /^other$/ }) })
    const badge = (grade: string, hasText: RegExp) => card.locator(`.badge.${grade}`, { hasText })
    const tile = page.locator('#components li', { has: page.locator('strong', { hasText: /^Documents$/ }) })

    const notInstalled = alert('other is configured, and not installed: sluice install')
    await notInstalled.waitFor()
    await world.install({ item: world.definition, other }, { backfill: false })
    await notInstalled.waitFor({ state: 'detached' })
    await badge('degraded', /^active, no daemon works on it$/).waitFor()
    world.start('for other', { more: { other } })
    await badge('healthy', /^active$/).waitFor()

    await world.sql(`SELECT sluice.pause('other', 'its mapping is being looked at')`)
    await world.sql(`INSERT INTO sluice.sync_failed (document, key, id, version, state, attempts, type, reason, origin)
      VALUES ('other', '1', '1', 1, 'dead', 5, 'mapper_parsing_exception', 'no date', pg_current_xact_id())`)
    const [{ id }] =
      await rows(`INSERT INTO sluice.sync_run (kind, document, state, error, started_at, finished_at)
      VALUES ('backfill', 'other', 'failed', 'no disk', now(), now()) RETURNING id`)
    // As a daemon does every ten seconds.
    const evaluate = () =>
      evaluateAlerts({
        pool: world.database.pool,
        schema: world.schema,
        instance: 'test',
        log: pino({ level: 'silent' }),
        alerts: DEFAULT_ALERTS,
      })
    await evaluate()
    const raised = [
      alert('document_paused of other'),
      alert('dead_letters of other'),
      alert(`the last backfill failed (run ${id}): no disk`),
    ]
    const failure = page.locator('#failure-list article', { hasText: 'other: mapper_parsing_exception' })
    for (const one of [...raised, failure]) await one.waitFor()
    // Not twice: before a daemon has looked, a line of its own says it.
    expect(await alert(`Run ${id}, a backfill of other, failed at`).count()).toBe(0)
    await badge('degraded', /^paused$/).waitFor()
    expect(await card.locator('.problem').allTextContents()).toEqual(['its mapping is being looked at'])
    await tile.filter({ hasText: 'other: paused (its mapping is being looked at)' }).waitFor()
    expect(await tile.getAttribute('class')).toBe('degraded')
    await page.locator('#ended-runs tr', { hasText: 'no disk' }).locator('.badge.critical').waitFor()
    expect(await page.locator('#grade').textContent()).toMatch(/degraded|critical/)

    await world.sql(`SELECT sluice.resume('other')`)
    const dead = { document: 'other', type: 'mapper_parsing_exception' }
    expect(await change(server.url, '/api/failures/retry', dead)).toMatchObject({ status: 200 })
    expect(await change(server.url, '/api/documents/other/backfill')).toMatchObject({ status: 202 })
    await eventually(async () => {
      await evaluate()
      expect(await rows(`SELECT name, reason FROM sluice.sync_alerts WHERE document = 'other'`)).toEqual([])
    })
    for (const one of raised) await one.waitFor({ state: 'detached' })
    await badge('healthy', /^active$/).waitFor()
    await tile.filter({ hasNotText: 'other:' }).waitFor()
    expect(await card.locator('.problem').count()).toBe(0)
    await failure.waitFor({ state: 'detached' })
  })

  test('shows a daemon that ended as stopped, one that was killed as silent, and neither for ever', async ({
    expect,
    onTestFinished,
  }) => {
    const place = await workspace({ DATABASE_URL: world.database.url, ELASTICSEARCH_URL: world.server.url })
    onTestFinished(place.remove)
    // Not the others' document: what it did in its last second would never be logged, and another test waits for that.
    const alone: DocumentDefinition = { table: 'alone', index: `${world.server.prefix}alone` }
    await world.sql('CREATE TABLE alone (id int PRIMARY KEY)')
    await place.write('sluice.config.json', JSON.stringify({ documents: { alone } }))
    const killed = place.start(['run'], { SLUICE_INSTANCE: 'to be killed' })
    const ending = world.start('to end')
    const { page } = await world.open()
    onTestFinished(() => page.context().close())
    const card = (name: string) => page.locator('#worker-list article', { hasText: name })
    const badge = (name: string, hasText: RegExp, grade = '') =>
      card(name).locator(`.badge${grade}`, { hasText })
    const saw = (name: string, ago: string) =>
      world.sql(
        `UPDATE sluice.sync_worker SET seen_at = clock_timestamp() - $2::interval WHERE instance = $1`,
        [name, ago],
      )
    await badge('to end', /^running$/).waitFor()
    await badge('to be killed', /^running$/).waitFor()

    await world.stop(ending)
    await badge('to end', /^stopped$/, '.degraded').waitFor()
    killed.process.kill('SIGKILL')
    await killed.ended
    await saw('to be killed', '70 seconds')
    await badge('to be killed', /^silent for \d+ (s|min)$/, '.critical').waitFor()
    // Those that live stand before them.
    expect(await page.locator('#worker-list h3').first().textContent()).not.toMatch(/^to /)

    for (const name of ['to end', 'to be killed']) await saw(name, '61 minutes')
    for (const name of ['to end', 'to be killed']) await card(name).waitFor({ state: 'detached' })
    // Nor does it wait any more, whatever it gave back while another test held its document up: half a minute at most.
    await badge('first', /^running$/, '.healthy').waitFor({ timeout: 60_000 })
  })

  test('whose token is no longer right asks for the new one, says why, and goes on with it', async ({
    expect,
    onTestFinished,
  }) => {
    // An address of its own: nobody else of this machine takes the port while it is free.
    const serve = (port: number, token: string) =>
      world.serve({ settings: { host: '127.0.0.19', port, token } })
    const server = await serve(0, TOKEN)
    const { page } = await world.open(server?.url)
    onTestFinished(() => page.context().close())
    const live = page.locator('#live')
    const problem = page.locator('#login-problem', { hasText: 'that is not the token' })
    const field = page.getByLabel('Token', { exact: true })
    await logIn(page, TOKEN)
    await live.getByText('live', { exact: true }).waitFor()
    await page.locator('#document-list h3', { hasText: 'item' }).waitFor()
    const stored = page.locator('#token', { hasText: /^Token ✓$/ })
    await stored.waitFor()

    await server?.close()
    await serve(Number(new URL(server?.url ?? '').port), `another ${TOKEN}`.replaceAll(' ', '-'))
    await problem.waitFor()
    expect(await field.evaluate((input) => input === input.ownerDocument.activeElement)).toBe(true)
    // Whoever only wants to read what stands there is not kept from it, and not left alone with it either.
    await page.keyboard.press('Escape')
    await problem.waitFor({ state: 'hidden' })
    expect(await live.textContent()).toMatch(/^that is not the token; as of \d/)
    expect(await page.locator('#grade').textContent()).toBe('? not known')
    expect(await page.locator('#document-list h3', { hasText: 'item' }).isVisible()).toBe(true)
    await page.getByRole('button', { name: 'Log in' }).click()
    await problem.waitFor()
    await field.fill(`another-${TOKEN}`)
    await field.press('Enter')
    await live.getByText('live', { exact: true }).waitFor()
    await page.locator('#grade', { hasText: /healthy|degraded|critical/ }).waitFor()
    await stored.waitFor()
    expect(await page.locator('#login').isVisible()).toBe(false)
  })

  test('lists a run among the latest that nobody saw under way', async ({ onTestFinished }) => {
    const { page } = await world.open()
    onTestFinished(() => page.context().close())
    await page.locator('#ended-runs tr').first().waitFor()
    await world.sql(`INSERT INTO sluice.sync_run (kind, document, state, requested_by, started_at, finished_at)
      VALUES ('optimize', 'item', 'done', 'somebody quick', now(), now())`)
    await page.clock.install()
    await page.clock.fastForward('00:21')
    await page.locator('#ended-runs tr', { hasText: 'somebody quick' }).waitFor()
  })
})
