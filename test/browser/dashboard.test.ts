import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { change, TOKEN } from '../integration/admin-world.ts'
import { startGate } from '../integration/instances-world.ts'
import { eventually } from '../support/context.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { findChromium } from './chromium.ts'
import { type DashboardWorld, dashboardWorld, logIn, type Tab } from './dashboard-world.ts'

/** The dashboard as an operator has it: one daemon and one browser, a tab for each test. */

const missing = findChromium() === null

// By name, so that a run without it is not taken for a run with it.
if (missing) test.skip('chromium is not installed (Debian package "chromium")')

const IMAGE = '<img src=x onerror="window.ran=1">'

describe.skipIf(missing)('the dashboard', () => {
  let world: DashboardWorld
  let tab: Tab | undefined
  beforeAll(async () => {
    world = await dashboardWorld()
    await world.sql("INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 20) n")
    await world.settled()
  })
  afterAll(() => world?.drop())
  afterEach(async () => {
    await tab?.page.context().close()
    tab = undefined
    await world.sql(`DELETE FROM sluice.sync_failed`)
  })

  const open = async (...args: Parameters<DashboardWorld['open']>): Promise<Page> => {
    tab = await world.open(...args)
    return tab.page
  }

  /** Failures of documents that are there, and can be indexed: a retry mends them. */
  const fail = (ids: readonly string[], type: string, reason: string) =>
    world.sql(
      `INSERT INTO sluice.sync_failed (document, key, id, version, state, attempts, type, reason, origin)
       SELECT 'item', id, id, 1, 'dead', 5, $2, $3, pg_current_xact_id() FROM unnest($1::text[]) id`,
      [ids, type, reason],
    )
  const failing = async () => {
    const { rows } = await world.database.pool.query('SELECT id FROM sluice.sync_failed ORDER BY id')
    return rows.map(({ id }) => id)
  }
  const text = async (page: Page, selector: string) => (await page.locator(selector).textContent()) ?? ''

  test('shows health, documents and workers, asks nobody else, and the browser has nothing to complain of', async () => {
    const page = await open()
    await page.locator('#live', { hasText: 'live' }).waitFor()
    await page.locator('#document-list h3', { hasText: 'item' }).waitFor()
    expect(await text(page, '#grade')).toMatch(/healthy|degraded|critical/)
    expect(await text(page, '#components')).toContain('Postgres')
    expect(await text(page, '#worker-list')).toContain('first')
    await page.locator('#document-list figure').nth(2).scrollIntoViewIfNeeded()
    await page.locator('#document-list canvas').nth(2).waitFor()
    expect(tab?.complaints).toEqual([])
    const { origin } = new URL(world.admin.url)
    expect(tab?.requests.filter((url) => new URL(url).origin !== origin)).toEqual([])
    expect(tab?.requests.length).toBeGreaterThan(10)
  })

  test('a change in Postgres shows up by itself', async () => {
    const page = await open()
    await page.locator('#batch-list tr', { hasText: 'done' }).first().waitFor()
    const done = () =>
      page.evaluate<number>(`[...document.querySelectorAll('#batch-list tr')]
        .filter((row) => row.textContent.includes('done'))
        .reduce((sum, { cells }) => sum + Number(cells[4].textContent), 0)`)
    const before = await done()
    await world.sql("UPDATE item SET name = 'changed' WHERE id <= 17")
    await eventually(async () => expect(await done()).toBeGreaterThanOrEqual(before + 17))
  })

  test('dead letters stand under their reason: one is retried, the other discarded, once that is confirmed', async () => {
    await fail(['1', '2'], 'mapper_parsing_exception', 'a date that is none')
    await fail(['3'], 'mapper_parsing_exception', 'a number that is none')
    const page = await open()
    const card = page.locator('#failure-list article', { hasText: 'a date that is none' })
    expect(await card.locator('.badge').textContent()).toBe('2 dead')
    await card.locator('summary').click()
    await card.getByRole('button', { name: 'Retry document 2' }).waitFor()
    expect(await card.locator('tbody tr').count()).toBe(2)
    await logIn(page, TOKEN)
    await card.getByRole('button', { name: 'Retry mapper_parsing_exception of item' }).click()
    await page.locator('#notice', { hasText: '2 documents marked again.' }).waitFor()
    await card.waitFor({ state: 'detached' })
    // The daemon has indexed them; the other reason of the same type was left alone.
    await eventually(async () => expect(await failing()).toEqual(['3']))
    const discard = page.getByRole('button', { name: 'Discard mapper_parsing_exception of item' })
    await discard.click()
    expect(await text(page, '#ask-text')).toContain('1 dead letter of item: a number that is none')
    await page.getByRole('button', { name: 'Leave it' }).click()
    expect(await failing()).toEqual(['3'])
    await discard.click()
    await page.locator('#ask').getByRole('button', { name: 'Discard' }).click()
    await page.locator('#failure-list', { hasText: 'Nothing fails.' }).waitFor()
    expect(await failing()).toEqual([])
  })

  test('markup in an id, a type or a reason stays text', async () => {
    await fail([IMAGE], `type ${IMAGE}`, `reason ${IMAGE}`)
    const page = await open()
    const card = page.locator('#failure-list article', { hasText: `reason ${IMAGE}` })
    await card.locator('summary').click()
    await card.locator('code', { hasText: IMAGE }).waitFor()
    expect(await card.locator('h3').textContent()).toBe(`item: type ${IMAGE}`)
    await card.getByRole('button', { name: `Discard document ${IMAGE}` }).click()
    expect(await text(page, '#ask-text')).toContain(IMAGE)
    expect(await page.locator('main img, dialog img').count()).toBe(0)
    expect(await page.evaluate('window.ran')).toBeUndefined()
    expect(tab?.complaints).toEqual([])
    // Where a script of ours made markup of it all the same, the browser would refuse.
    const made = page.evaluate(`document.body.insertAdjacentHTML('beforeend', ${JSON.stringify(IMAGE)})`)
    await expect(made).rejects.toThrow(/TrustedHTML/)
  })

  test('a token is asked for where one is needed, and a wrong one is called so', async () => {
    const server = await world.serve({ settings: { host: '0.0.0.0' } })
    const page = await open(server?.url.replace('0.0.0.0', '127.0.0.1'))
    const field = page.getByLabel('Token', { exact: true })
    await page.locator('#login-problem', { hasText: 'shows nothing without it' }).waitFor()
    await field.fill('not the token at all')
    await field.press('Enter')
    await page.locator('#login-problem', { hasText: 'that is not the token' }).waitFor()
    expect(await page.locator('#document-list h3').count()).toBe(0)
    await field.fill(TOKEN)
    await field.press('Enter')
    await page.locator('#document-list h3').waitFor()
    expect(await page.locator('#login').isVisible()).toBe(false)
    expect(await page.evaluate('[sessionStorage.length, localStorage.length]')).toEqual([1, 0])
  })

  test('by keyboard alone: from the top to the retry of a document', async () => {
    await fail(['5'], 'mapper_parsing_exception', 'by hand')
    const page = await open()
    const button = 'Retry mapper_parsing_exception of item'
    await page.getByRole('button', { name: button }).waitFor()
    const focused = () =>
      page.evaluate<string>('document.activeElement.ariaLabel ?? document.activeElement.textContent')
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 30; presses += 1) {
        await page.keyboard.press('Tab')
        if ((await focused()) === name) return
      }
      throw new Error(`${name} is not reached by Tab; the last was ${await focused()}`)
    }
    await tabTo(button)
    await page.keyboard.press('Enter')
    // Without a token it is asked for, and then the retry goes on.
    await page.locator('#login').waitFor()
    await page.keyboard.type(TOKEN)
    await page.keyboard.press('Enter')
    await page.locator('#notice', { hasText: '1 document marked again.' }).waitFor()
    await page.locator('#failure-list', { hasText: 'Nothing fails.' }).waitFor()
    // The button has gone: whoever worked with it goes on from the heading.
    expect(await focused()).toBe('Failures')
  })

  test('light or dark, as the system has it until somebody chooses', async () => {
    const page = await open(world.admin.url, { colorScheme: 'dark' })
    const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    expect(await background()).toBe('rgb(13, 17, 23)')
    await page.getByRole('button', { name: 'Light' }).click()
    expect(await background()).toBe('rgb(244, 246, 248)')
    await page.reload()
    expect(await background()).toBe('rgb(244, 246, 248)')
  })

  test('on a phone nothing is wider than the screen', async () => {
    await fail([IMAGE.repeat(3)], 'mapper_parsing_exception', 'reason'.repeat(30))
    const page = await open(world.admin.url, { viewport: { width: 360, height: 740 }, hasTouch: true })
    await page.locator('#failure-list article').waitFor()
    await page.locator('#document-list h3').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
  })

  test('the daemon goes, comes back without Postgres, and Postgres comes back: the page says each, and keeps what it has', async () => {
    const proxy = await startTcpProxy(world.database.url)
    // An address of its own: nobody else of this machine takes the port while it is free.
    const serve = (port: number) =>
      world.serve({ postgres: proxy.url, settings: { host: '127.0.0.18', port } })
    try {
      const server = await serve(0)
      const page = await open(server?.url)
      const live = page.locator('#live')
      const document = page.locator('#document-list h3', { hasText: 'item' })
      const old = page.locator('#alerts li.critical', { hasText: 'What is below is old: ' })
      await document.waitFor()
      await live.getByText('live', { exact: true }).waitFor()

      await server?.close()
      await live.filter({ hasText: /; as of / }).waitFor()
      expect(await text(page, '#grade')).toBe('? not known')
      expect(await document.count()).toBe(1)

      proxy.pace({ kind: 'refuse' })
      const again = await serve(Number(new URL(server?.url ?? '').port))
      expect(again?.url).toBe(server?.url)
      await old.waitFor()
      expect(await text(page, '#live')).toBe('live')
      expect(await text(page, '#grade')).toBe('✕ critical')
      const postgres = page.locator('#components li', {
        has: page.locator('strong', { hasText: /^Postgres$/ }),
      })
      expect(await postgres.locator('.value').textContent()).toBe('down')
      expect(await document.count()).toBe(1)

      await fail(['7'], 'mapper_parsing_exception', 'while nobody could see it')
      proxy.pace({ kind: 'open' })
      await old.waitFor({ state: 'detached' })
      await page.locator('#failure-list article', { hasText: 'while nobody could see it' }).waitFor()
      await postgres.locator('.value', { hasText: /^up$/ }).waitFor()
    } finally {
      await proxy.close()
    }
  })

  // The last one: it has a daemon of its own.
  test('a run is shown with its progress, and cancelled', async () => {
    await world.stop(world.instance)
    const gate = await startGate(world.server.url)
    world.start('second', { elasticsearch: gate.url, limits: { requestTimeout: 60_000 } })
    try {
      gate.shut()
      const asked = await change(world.admin.url, '/api/documents/item/backfill')
      const { id } = (asked.body as { run: { id: string } }).run
      const page = await open()
      await logIn(page, TOKEN)
      const card = page.locator('#run-list article', { hasText: `run ${id}: running` })
      await card.waitFor()
      // Its batch hangs at Elasticsearch: nobody else writes to its row.
      await eventually(() => gate.held > 0)
      await world.sql('UPDATE sluice.sync_run SET total = 20, processed = 5 WHERE id = $1', [id])
      await card.filter({ hasText: '5 of 20 keys · 25.0 %' }).waitFor()
      expect(await card.locator('progress').getAttribute('value')).toBe('0.25')
      await card.getByRole('button', { name: `Cancel run ${id}` }).click()
      await page.getByRole('button', { name: 'Cancel the run' }).click()
      await page.locator('#notice', { hasText: `Run ${id} is cancel` }).waitFor()
      await gate.open()
      await page.locator('#ended-runs tr', { hasText: 'cancelled' }).waitFor()
      await card.waitFor({ state: 'detached' })
    } finally {
      await gate.open()
      await gate.close()
    }
  })
})
