// @ts-check
// Figures as people read them. Pure.

const whole = new Intl.NumberFormat('en')
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** @param {number | null} n */
export const count = (n) => (n === null ? '–' : whole.format(n))

/** @param {number} n 12,345 → 12.3K */
export const short = (n) => compact.format(n)

/**
 * @param {number} rate of the last minute: one a minute is not nothing
 * @returns {string} 0, 0.02, 0.3, 7.5, 12, 12.3K
 */
export function perSecond(rate) {
  if (rate === 0 || rate >= 10) return short(rate)
  return rate.toFixed(rate < 0.1 ? 2 : 1)
}

/**
 * @param {number | null} ms
 * @returns {string} 80 ms, 1.5 s, 12 min, 3 h, 2 d
 */
export function duration(ms) {
  if (ms === null) return '–'
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** @param {number} share 0 to 1 */
export const percent = (share) => `${(share * 100).toFixed(share < 0.1 && share > 0 ? 2 : 1)} %`

/**
 * By the clock of whoever looks; with its day, where that is another.
 * @param {string} iso
 */
export function clock(iso) {
  const at = new Date(iso)
  const time = at.toLocaleTimeString('en-GB')
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`
}

/** @param {number} n @param {string} one @param {string} many */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`
