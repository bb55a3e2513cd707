import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createProgress, progressText } from '../../src/cli/progress.ts'

/** A stream that remembers, with a clock that the test moves. */
async function place({ isTTY = false, silent = false, ms = 0 } = {}) {
  const clock = { ms }
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY })
  const progress = await createProgress('run 1', { stream, silent, now: () => clock.ms })
  return { clock, progress, written: () => String(stream.read() ?? '') }
}

const state = { done: 500, total: 1000, perSecond: 250, remainingMs: 2000 }

describe('progress', () => {
  it.each([0, 100_000])('is one line at most every five seconds where there is no terminal', async (ms) => {
    const { clock, progress, written } = await place({ ms })
    progress.update(state)
    clock.ms = ms + 4999
    progress.update({ ...state, done: 600 })
    clock.ms = ms + 5000
    progress.update({ ...state, done: 700 })
    progress.end('done')
    expect(written()).toBe(
      'run 1 500 of 1,000 (50 %) · 250/s · 2.0 s left\nrun 1 700 of 1,000 (70 %) · 250/s · 2.0 s left\ndone\n',
    )
  })

  it('is a bar on a terminal', async () => {
    const { progress, written } = await place({ isTTY: true })
    progress.update(state)
    progress.end()
    progress.end()
    const shown = written()
    expect(shown).toContain('50%  500 of 1,000 (50 %) · 250/s · 2.0 s left')
    expect(shown).not.toContain('undefined')
    progress.end('done')
    expect(written()).toBe('done\n')
  })

  it('says nothing at the end where it has nothing to say', async () => {
    const { progress, written } = await place()
    progress.end()
    expect(written()).toBe('')
  })

  it('is nothing with --json or --quiet', async () => {
    const { progress, written } = await place({ silent: true })
    progress.update(state)
    progress.end('done')
    expect(written()).toBe('')
  })

  it.each([
    [{ done: 0, total: null, perSecond: null, remainingMs: null }, '0'],
    [{ done: 7, total: 7, perSecond: null, remainingMs: 0 }, '7 of 7 (100 %) · 0 ms left'],
    [{ done: 999, total: 1000, perSecond: null, remainingMs: null }, '999 of 1,000 (99 %)'],
    [{ done: 0, total: 0, perSecond: null, remainingMs: null }, '0 of 0 (100 %)'],
    [
      { done: 1200, total: 5000, exact: false, perSecond: 18_400.4, remainingMs: 65_000 },
      '1,200 of about 5,000 (24 %) · 18,400/s · 1 min 5 s left',
    ],
  ])('%j: %s', (progress, text) => {
    expect(progressText(progress)).toBe(text)
  })
})
