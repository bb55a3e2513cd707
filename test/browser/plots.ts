import type { Page } from 'playwright-core'

/** What uPlot was given, and what it made of it: it draws on canvases, where nothing can be looked up. */

/** A plot of a document. */
export interface Plotted {
  /** Times (Unix seconds), then each line's values, as the plot has them now. */
  readonly data: readonly (readonly (number | null)[])[]
  /** Beside its title: each line with its current value. */
  readonly captions: readonly string[]
  /** What the captions should say, by the last of the data. */
  readonly last: readonly string[]
  /** What a screen reader has of it. */
  readonly name: string
  /** Where the topmost pixel in each line's colour is, from the top (0) to the bottom (1) of what is drawn in; null: there is none. */
  readonly tops: readonly (number | null)[]
}

/** By title: Pending, Lag, Rate. Those that were never in view are not drawn, and not here. */
export type Plots = Readonly<Partial<Record<string, Plotted>>>

/** To be run before the page's own scripts. */
export const WATCH_PLOTS = `(() => {
  const drawn = []
  let made
  Object.defineProperty(window, 'uPlot', {
    configurable: true,
    get: () => made,
    set: (UPlot) => {
      made = function (options, data, place) {
        const plot = new UPlot(options, data, place)
        drawn.push({ plot, place })
        return plot
      }
    },
  })
  const topOf = (plot, line) => {
    const { left, top, width, height } = plot.bbox
    const colour = plot.series[line].stroke(plot, line).match(/\\d+/g).slice(0, 3).map(Number)
    // A line at zero lies on the lower edge, and uPlot draws it under that.
    const { data } = plot.ctx.getImageData(left, top, width, height + 2)
    for (let pixel = 0; pixel < data.length / 4; pixel += 1) {
      const [r, g, b, alpha] = data.subarray(pixel * 4, pixel * 4 + 4)
      // The edge of a line is its colour, thinner.
      const near = [r, g, b].every((value, n) => Math.abs(value - colour[n]) < 8)
      if (alpha > 100 && near) return Math.floor(pixel / width) / height
    }
    return null
  }
  window.plotsOf = async (name) => {
    const { duration, perSecond, short } = await import('/dashboard/format.js')
    const formats = { Pending: short, Lag: duration, Rate: perSecond }
    return Object.fromEntries(
      drawn
        .filter(({ place }) => place.closest('article')?.querySelector('h3').textContent === name)
        .map(({ plot, place }) => {
          const figure = place.closest('figure')
          const title = figure.querySelector('strong').textContent
          const lines = plot.series.slice(1)
          const said = (value) => (value === null || value === undefined ? '–' : formats[title](value))
          return [title, {
            data: plot.data,
            captions: [...figure.querySelectorAll('figcaption span')].map(({ textContent }) => textContent),
            last: lines.map(({ label }, n) => label + ' ' + said(plot.data[n + 1].at(-1))),
            name: place.ariaLabel,
            tops: lines.map((_, n) => topOf(plot, n + 1)),
          }]
        }),
    )
  }
})()`

/** The plots of a document as they are at one moment, on a page that was opened with {@link WATCH_PLOTS}. */
export function plotsOf(page: Page, document: string): Promise<Plots> {
  return page.evaluate(`plotsOf(${JSON.stringify(document)})`)
}
