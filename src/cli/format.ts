import { styleText } from 'node:util'
import { count } from '../counts.ts'

export { count, plural } from '../counts.ts'

/** How values look to people. */

type Style = Parameters<typeof styleText>[0]

/** Coloured where the stream is a terminal and NO_COLOR is not set. */
export function paint(style: Style, text: string, stream: NodeJS.WritableStream = process.stdout): string {
  return styleText(style, text, { stream, validateStream: true })
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** `350 ms`, `4.2 s`, `3 min 20 s`, `2 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  // To the second before it is cut into units, or 119.7 s would be 1 min 60 s.
  const whole = Math.round(ms / 1000) * 1000
  const first = units.findIndex(([, size]) => whole >= size)
  const [unit, size] = units[first] ?? units[3]
  const [smaller, smallerSize] = units[first + 1] ?? ['', 0]
  const rest = smallerSize === 0 ? 0 : Math.floor((whole % size) / smallerSize)
  return `${Math.floor(whole / size)} ${unit}${rest === 0 ? '' : ` ${rest} ${smaller}`}`
}

/** `1 key waits`, `about 171,000 keys wait`. */
export function waitingKeys(n: number, exact: boolean): string {
  return n === 1 ? '1 key waits' : `${estimate(n, exact)} keys wait`
}

/** `about 171,000`: what is not exact to three digits. */
export function estimate(n: number, exact: boolean): string {
  return exact ? count(n) : `about ${count(Number(n.toPrecision(3)))}`
}

/** `812 B`, `3.4 MiB`, `120 GiB`. */
export function bytes(n: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), names.length - 1)
  const value = n / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${names[power]}`
}
