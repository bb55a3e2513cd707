import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { type AdminWorld, adminWorld } from '../integration/admin-world.ts'
import { openChromium } from './chromium.ts'

/** A daemon on real servers, HTTP beside it, and a browser. */
export interface DashboardWorld extends AdminWorld {
  /**
   * A tab of its own, without token, on the page of a server; default: the world's, which shows itself without a token.
   * @param script runs before those of the page
   */
  open(url?: string, options?: BrowserContextOptions, script?: string): Promise<Tab>
}

export interface Tab {
  readonly page: Page
  /** What the browser complained of, and what scripts threw. */
  readonly complaints: string[]
  /** What was asked for, URL by URL. */
  readonly requests: string[]
}

export async function dashboardWorld(): Promise<DashboardWorld> {
  const world = await adminWorld()
  let browser: Browser
  try {
    browser = await openChromium()
  } catch (error) {
    await world.drop()
    throw error
  }
  return {
    ...world,
    open: async (url = world.admin.url, options = {}, script = '') => {
      const context = await browser.newContext(options)
      context.setDefaultTimeout(30_000)
      const page = await context.newPage()
      const tab: Tab = { page, complaints: [], requests: [] }
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') tab.complaints.push(message.text())
      })
      page.on('pageerror', (error) => tab.complaints.push(String(error)))
      page.on('request', (request) => tab.requests.push(request.url()))
      await page.addInitScript(script)
      await page.goto(url)
      return tab
    },
    drop: async () => {
      await browser.close()
      await world.drop()
    },
  }
}

/** Stores the token as somebody who types it. */
export async function logIn(page: Page, token: string): Promise<void> {
  await page.getByRole('button', { name: 'Token' }).first().click()
  await page.getByLabel('Token', { exact: true }).fill(token)
  await page.getByRole('button', { name: 'Use it' }).click()
}
