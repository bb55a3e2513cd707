import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { TOKEN } from '../integration/admin-world.ts'
import { contrast, nameless, objections, tabThrough } from './accessibility.ts'
import { findChromium } from './chromium.ts'
import { type DashboardWorld, dashboardWorld, logIn } from './dashboard-world.ts'

/** The dashboard on a bad day, with all that it can show at once: whether everybody can read it and work it. */

const missing = findChromium() === null

// By name, so that a run without it is not taken for a run with it.
if (missing) test.skip('chromium is not installed (Debian package "chromium")')

/** One of them is retried by a test. */
const FAILURES = `INSERT INTO sluice.sync_failed (document, key, id, version, state, attempts, due_at, type, reason, origin)
  SELECT 'item', id, id, 1, CASE WHEN due IS NULL THEN 'dead' ELSE 'retrying' END, 5, due, type,
         'a reason of ' || repeat('many_', 60) || 'words', pg_current_xact_id()
    FROM (VALUES ('1', NULL, 'mapper_parsing_exception'), ('2', NULL, 'mapper_parsing_exception'),
                 ('3', now() + interval '1 hour', 'version_conflict')) AS f (id, due, type)
  ON CONFLICT DO NOTHING`

/** A row of each kind and state, on a document that is paused: nobody works them off. */
const BAD_DAY = [
  `SELECT sluice.pause('item', 'its mapping is being looked at')`,
  `INSERT INTO sluice.sync_run (kind, document, state, error, requested_by, started_at, finished_at) VALUES
     ('verify', 'item', 'failed', 'no disk: ' || repeat('very_', 60) || 'full', 'http', now() - interval '1 hour', now()),
     ('optimize', 'item', 'cancelled', 'cancelled by http', 'http', now() - interval '1 hour', now()),
     ('backfill', 'item', 'requested', NULL, 'http', NULL, NULL)`,
  `INSERT INTO sluice.sync_worker (instance, host, pid, version, state, reason, pauses, seen_at) VALUES
     ('ended', 'h', 1, '1.0.0', 'stopped', NULL, '[]', now()),
     ('killed', 'h', 2, '1.0.0', 'running', NULL, '[]', now() - interval '5 minutes'),
     ('waits', 'h', 3, '1.0.0', 'waiting', 'Elasticsearch does not answer', jsonb_build_array(jsonb_build_object(
        'document', 'item', 'index', 'items-1', 'type', 'index_closed_exception', 'reason', 'is closed', 'since', now())),
      now() + interval '1 hour')`,
  `INSERT INTO sluice.sync_alert (name, document, severity, reason, since, notify) VALUES
     ('brake_tripped', 'item', 'critical', 'it holds back 5 deletes', now(), false),
     ('sending_paused', 'item', 'warning', 'is closed', now(), false)`,
]

describe.skipIf(missing)('on a bad day, the dashboard', () => {
  let world: DashboardWorld
  let url: string
  let page: Page
  beforeAll(async () => {
    world = await dashboardWorld()
    await world.sql("INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 20) n")
    await world.settled()
    const documents = new Map([
      ['item', world.definition],
      ['other', world.definition],
    ])
    const server = await world.serve({ configured: { documents, schedules: new Map() } })
    if (server === null) throw new Error('no free port')
    url = server.url
    // Its alerts are the test's: a daemon would clear them.
    await world.stop(world.instance)
    for (const row of BAD_DAY) await world.sql(row)
  })
  afterAll(() => world?.drop())
  afterEach(() => page?.context().close())

  /** With all of it there, and what can be unfolded unfolded. */
  const open = async (options: BrowserContextOptions): Promise<void> => {
    await world.sql(FAILURES)
    ;({ page } = await world.open(url, options))
    for (const [place, hasText] of [
      ['#alerts li.critical', 'brake_tripped'],
      ['#alerts li', 'other is configured, and not installed'],
      ['#alerts li', 'a verify of item, failed at'],
      ['#worker-list .badge.critical', 'silent for'],
      ['#worker-list .problem', 'Elasticsearch does not answer'],
      ['#run-list .problem', 'to be resumed'],
      ['#ended-runs .badge.critical', 'failed'],
      ['#batch-list .badge.healthy', 'done'],
    ] as const) {
      await page.locator(place, { hasText }).first().waitFor()
    }
    for (const summary of await page.locator('summary').all()) await summary.click()
    await page.locator('#failure-list tbody tr').nth(2).waitFor()
  }

  test.each(['light', 'dark'] as const)('can be read by everybody: %s', async (colorScheme) => {
    // Nothing of it lies below the header then.
    await open({ colorScheme, bypassCSP: true, viewport: { width: 1280, height: 2400 } })
    expect(await objections(page)).toEqual([])
    // Out of axe's sight: signs, what is drawn, and the edges of tiles.
    for (const text of ['--quiet', '--good', '--warn', '--bad']) {
      expect(await contrast(page, text, '--card'), text).toBeGreaterThan(4.5)
    }
    for (const line of ['--line', '--line-2']) {
      expect(await contrast(page, line, '--card'), line).toBeGreaterThan(3)
    }

    await page.getByRole('button', { name: 'Discard document 1' }).click()
    await page.locator('#ask').waitFor()
    expect(await objections(page, '#ask')).toEqual([])
    await page.getByRole('button', { name: 'Leave it' }).click()
    await page.getByRole('button', { name: 'Token' }).click()
    await page.getByLabel('Token', { exact: true }).fill('not the token at all')
    await page.getByRole('button', { name: 'Use it' }).click()
    await page.locator('#login-problem', { hasText: 'that is not the token' }).waitFor()
    expect(await objections(page, '#login')).toEqual([])
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await logIn(page, TOKEN)
    await page.getByRole('button', { name: 'Cancel run' }).click()
    await page.getByRole('button', { name: 'Leave it' }).click()
    await page.getByRole('button', { name: 'Retry document 3' }).click()
    await page.locator('#notice', { hasText: '1 document marked again.' }).waitFor()
    expect(await objections(page, '#notice')).toEqual([])
  })

  test('can be worked by keyboard alone: all of it is reached, has a name, and is seen', async () => {
    await open({ viewport: { width: 1000, height: 600 } })
    expect(await nameless(page)).toEqual([])
    const { stops, ...wrong } = await tabThrough(page)
    expect(wrong).toEqual({ unreached: [], unmarked: [], covered: [] })
    expect(stops).toEqual(expect.arrayContaining(['To the content', 'Token', 'Retry document 1']))
    expect(stops.some((stop) => stop.startsWith('Cancel run'))).toBe(true)
    // Upwards everything comes to stand below the header, which stays where it is.
    const { stops: _same, ...upwards } = await tabThrough(page, 'Shift+Tab')
    expect(upwards).toEqual({ unreached: [], unmarked: [], covered: [] })
  })

  test('fits on the narrowest phone, dialogs and all', async () => {
    await open({ viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true })
    const widest = () => page.evaluate('Math.max(document.documentElement.scrollWidth, innerWidth)')
    expect(await widest()).toBe(320)
    await page.getByRole('button', { name: 'Discard document 1' }).click()
    await page.locator('#ask').waitFor()
    expect(await widest()).toBe(320)
    await page.getByRole('button', { name: 'Leave it' }).click()
    await page.getByRole('button', { name: 'Token' }).click()
    await page.locator('#login').waitFor()
    expect(await widest()).toBe(320)
  })
})
