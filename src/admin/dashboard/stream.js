// @ts-check
// Live by server-sent events. An EventSource cannot show a token; a request whose answer is read bit by bit can.

import { ask, authorization, Refused } from './api.js'

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */

/** A snapshot comes every two seconds, and every thirteen at worst: after so long without one the connection is dead. */
const SILENCE_MS = 30_000
const AGAIN_MS = 2_000

/**
 * @typedef {object} Watching
 * @property {(snapshot: Snapshot) => void} seen
 * @property {(problem: string | null) => void} connected null: it is; otherwise why it is not
 * @property {(why: string) => Promise<void>} refused a token is needed: resolves when there may be another
 */

/**
 * Watches for as long as the page is open, and connects again by itself.
 * @param {Watching} watching
 * @returns {Promise<never>}
 */
export async function watch(watching) {
  for (;;) {
    try {
      await once(watching)
      watching.connected('the daemon has closed the connection')
    } catch (error) {
      watching.connected(error instanceof Error ? error.message : String(error))
      if (error instanceof Refused && error.status === 401) {
        await watching.refused(error.message)
        continue
      }
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

/** @param {Watching} watching */
async function once({ seen, connected }) {
  const silent = new AbortController()
  const listen = () =>
    setTimeout(() => silent.abort(new Refused(0, 'the daemon has gone silent')), SILENCE_MS)
  let timer = listen()
  try {
    const response = await ask('/api/events', { headers: authorization(), signal: silent.signal })
    connected(null)
    if (response.body === null) return
    let rest = ''
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = listen()
      const events = `${rest}${value}`.split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) if (event.startsWith('data: ')) seen(JSON.parse(event.slice(6)))
    }
  } finally {
    clearTimeout(timer)
  }
}
