// @ts-check
// One live plot: uPlot (a script of its own, `uPlot`), in the colours of the page, drawn only while somebody can see it.

import { el, say } from './dom.js'

/** @typedef {import('uplot')} Plot */
/** @type {typeof import('uplot')} */
const UPlot = /** @type {any} */ (globalThis).uPlot

const HEIGHT = 120
/** A plot is never narrower in time: a page that was just opened has one point. */
const LEAST_SECONDS = 60

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {'--line' | '--line-2'} colour a registered property of the page
 */

/** Seen or not, by plot. */
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) shown.get(target)?.(isIntersecting)
})
/** @type {WeakMap<Element, (visible: boolean) => void>} */
const shown = new WeakMap()

/**
 * @param {string} title
 * @param {readonly Line[]} lines one or two
 * @param {(value: number) => string} format
 */
export function plot(title, lines, format) {
  const canvas = el('div', 'canvas')
  const values = lines.map(({ colour }) => el('span', colour === '--line' ? 'first' : 'second'))
  const figure = el('figure', '', el('figcaption', '', el('strong', '', title), ...values), canvas)
  canvas.role = 'img'
  /** @type {Plot | undefined} */
  let drawn
  /** @type {readonly (readonly (number | null)[])[]} */
  let data = [[], ...lines.map(() => [])]
  let visible = false

  const caption = (/** @type {number} */ index) => {
    for (const [n, { label }] of lines.entries()) {
      const value = data[n + 1]?.[index] ?? null
      say(/** @type {Node} */ (values[n]), `${label} ${value === null ? '–' : format(value)}`)
    }
  }
  const draw = () => {
    if (!visible || data[0]?.length === 0) return
    drawn ??= new UPlot(
      options(lines, format, canvas, caption, () => data),
      copy(data),
      canvas,
    )
    drawn.setData(copy(data))
  }
  shown.set(canvas, (now) => {
    visible = now
    draw()
  })
  seen.observe(canvas)
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0)
    if (width > 0) drawn?.setSize({ width, height: HEIGHT })
  }).observe(canvas)
  addEventListener('sluice-theme', () => drawn?.redraw())

  return {
    figure,
    /** @param {readonly (readonly (number | null)[])[]} columns times, then each line */
    update: (columns) => {
      data = columns
      const last = (columns[0]?.length ?? 0) - 1
      if ((drawn?.cursor.idx ?? null) === null) caption(last)
      canvas.ariaLabel = `${title} of the last minutes: ${values.map((value) => value.textContent).join(', ')}`
      draw()
    },
  }
}

/**
 * Counts no further than to two.
 * @param {ArrayLike<number | null | undefined> | undefined} column
 * @param {number} from
 * @param {number} to the last
 */
function valuesOf(column, from, to) {
  let found = 0
  for (let i = from; i <= to && found < 2; i += 1) if ((column?.[i] ?? null) !== null) found += 1
  return found
}

/** @param {number} seconds Unix */
const timeOf = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB')

/**
 * uPlot keeps what it is given.
 * @param {readonly (readonly (number | null)[])[]} columns
 */
function copy(columns) {
  return /** @type {import('uplot').AlignedData} */ (
    /** @type {unknown} */ (columns.map((column) => [...column]))
  )
}

/**
 * @param {readonly Line[]} lines
 * @param {(value: number) => string} format
 * @param {HTMLElement} place
 * @param {(index: number) => void} caption
 * @param {() => readonly (readonly unknown[])[]} columns
 * @returns {import('uplot').Options}
 */
function options(lines, format, place, caption, columns) {
  const colour = (/** @type {string} */ name) => () => getComputedStyle(place).getPropertyValue(name)
  const font = '11px system-ui, sans-serif'
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { show: false },
    font,
  }
  return {
    width: Math.max(place.clientWidth, 100),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - LEAST_SECONDS), max] },
      y: { range: (_plot, _min, max) => [0, Math.max((max ?? 0) * 1.1, 1)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 70,
        values: (_plot, splits) => splits.map(timeOf),
      },
      { ...axis, size: 56, space: 26, values: (_plot, splits) => splits.map((value) => format(value)) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.5,
        points: {
          // A line needs two: one value among gaps would not be seen.
          show: (
            /** @type {Plot} */ { data },
            /** @type {number} */ n,
            /** @type {number} */ i0,
            /** @type {number} */ i1,
          ) => valuesOf(data[n], i0, i1) < 2,
        },
        spanGaps: true,
      })),
    ],
    hooks: {
      setCursor: [({ cursor }) => caption(cursor.idx ?? (columns()[0]?.length ?? 0) - 1)],
    },
  }
}
