import axe from 'axe-core'
import type { Page } from 'playwright-core'

/** Whether everybody can read a page and work it, as far as a program can tell. */

/** WCAG 2.2 up to AA, and what axe-core holds to be good besides. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/**
 * What axe-core objects to, and what it could not decide, one line for each element; contrast is 4.5 to 1, of large text 3
 * to 1. The page's policy must let it in (`bypassCSP`).
 * @param within what is looked at; a dialog makes the rest unreachable
 */
export async function objections(page: Page, within = 'body'): Promise<string[]> {
  await page.evaluate(axe.source)
  const options = { runOnly: TAGS, resultTypes: ['violations', 'incomplete'] }
  const { violations, incomplete, passes } = await page.evaluate<axe.AxeResults>(
    `axe.run(${JSON.stringify(within)}, ${JSON.stringify(options)})`,
  )
  // A look at nothing objects to nothing.
  if (!passes.some(({ id }) => id === 'color-contrast'))
    throw new Error(`axe-core found no text in ${within}`)
  return [...violations, ...incomplete].flatMap(({ id, nodes }) =>
    nodes
      .filter((node) => !isSign(node))
      .map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`),
  )
}

/** What has no letters is no text to axe, and undecided: that the colours of signs can be told apart, {@link contrast} says. */
function isSign({ any }: axe.NodeResult): boolean {
  return any.some(({ id, data }) => id === 'color-contrast' && data?.messageKey === 'nonBmp')
}

/** A colour of the page against another: 1 to 21, by WCAG's formula. Properties of `:root`, registered as colours or not. */
export function contrast(page: Page, property: string, against: string): Promise<number> {
  return page.evaluate(`(() => {
    const probe = document.body.appendChild(document.createElement('i'))
    const luminance = (property) => {
      probe.style.color = 'var(' + property + ')'
      const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((channel) => {
        const share = channel / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const [light, dark] = ['${property}', '${against}'].map(luminance).sort((a, b) => b - a)
    probe.remove()
    return (light + 0.05) / (dark + 0.05)
  })()`)
}

export interface TabStops {
  /** All that can be worked, as the document has it: its name, or what it is made of. */
  readonly stops: readonly string[]
  /** Those of them that Tab did not come to. */
  readonly unreached: readonly string[]
  /** That have nothing around them that tells where one is. */
  readonly unmarked: readonly string[]
  /** That something else lies over, for whoever has just come to them. */
  readonly covered: readonly string[]
}

/** Presses Tab from the top to the end, or Shift+Tab from the end to the top. */
export async function tabThrough(page: Page, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<TabStops> {
  const count = await page.evaluate<number>(`(() => {
    const workable = 'a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex^="-"])'
    window.stops = [...document.querySelectorAll(workable)]
      .filter((element) => !element.disabled && element.checkVisibility())
      .map((element) => ({ element, reached: false, marked: false, free: false }))
    document.activeElement.blur()
    return window.stops.length
  })()`)
  for (let press = 0; press <= count; press += 1) {
    await page.keyboard.press(key)
    await page.evaluate(`(() => {
      const { activeElement } = document
      const stop = window.stops.find(({ element }) => element === activeElement)
      if (stop === undefined) return
      const { left, top, width, height } = activeElement.getBoundingClientRect()
      const { outlineStyle, outlineWidth } = getComputedStyle(activeElement)
      // What is higher than the screen is seen by its beginning.
      const middle = [left + width / 2, top + Math.min(height / 2, innerHeight / 4)]
      const above = document.elementFromPoint(...middle)
      stop.reached = true
      stop.marked = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1
      stop.free = activeElement.contains(above)
    })()`)
  }
  return page.evaluate(`(() => {
    const told = (found) =>
      found.map(({ element }) => element.ariaLabel || element.textContent.trim() || element.outerHTML)
    return {
      stops: told(window.stops),
      unreached: told(window.stops.filter(({ reached }) => !reached)),
      unmarked: told(window.stops.filter(({ reached, marked }) => reached && !marked)),
      covered: told(window.stops.filter(({ reached, free }) => reached && !free)),
    }
  })()`)
}

/** What can have the focus and has no name, as Chromium tells it to a screen reader. */
export async function nameless(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  try {
    const { nodes } = await session.send('Accessibility.getFullAXTree')
    const workable = nodes.filter(
      ({ ignored, properties = [] }) =>
        !ignored && properties.some(({ name, value }) => name === 'focusable' && value.value === true),
    )
    if (workable.length === 0) throw new Error('nothing on the page can have the focus')
    return workable
      .filter(({ name }) => String(name?.value ?? '').trim() === '')
      .map(({ role, nodeId }) => `${role?.value} ${nodeId}`)
  } finally {
    await session.detach()
  }
}
