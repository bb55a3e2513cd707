// @ts-check
// Runs under way with how far they are, and the latest that ended.

import { get, post } from './api.js'
import { attempt, sure } from './ask.js'
import { button, byId, el, list, listOr, say } from './dom.js'
import { count, duration, percent } from './format.js'

/** @typedef {NonNullable<import('./stream.js').Snapshot['known']>['status']} Status */
/** @typedef {Status['runs'][number]} UnderWay */
/** @typedef {import('zod').infer<typeof import('../../answers/json/run.ts').runJson>} Run */

const LATEST = 10
/** One that was over before a snapshot showed it changes nothing of what is under way: so often the latest are read all the same. */
const AGAIN_MS = 20_000

/** Which were under way when the list of the latest was asked for. @type {string | null} */
let listed = null
let listedAt = 0

/** @param {Status} status */
export function showRuns({ runs, failedRuns }) {
  listOr(byId('run-list'), runs, ({ id }) => id, underWay, 'No run is under way.')
  // It changes when one begins or ends, and is not read every two seconds.
  const now = [...runs.map(({ id, state }) => `${id} ${state}`), ...failedRuns.map(({ id }) => id)].join()
  if (now === listed && Date.now() - listedAt < AGAIN_MS) return
  listed = now
  listedAt = Date.now()
  get(`/api/runs?limit=${LATEST}`).then(
    (answer) => showLatest(answer.runs),
    () => {
      listed = null
    },
  )
}

/** @param {UnderWay} run */
function underWay({ id, kind, document }) {
  const badge = el('span', 'badge')
  const figures = el('span', 'quiet')
  const waits = el('p', 'problem')
  const bar = el('progress')
  bar.ariaLabel = `Progress of run ${id}`
  bar.max = 1
  const cancel = button('Cancel', async () => {
    const yes = await sure(
      `Cancel run ${id}?`,
      `The ${kind} of ${document} ends; what it has done stays.`,
      'Cancel the run',
    )
    if (!yes) return
    await attempt(async () => {
      const { run } = await post(`/api/runs/${id}/cancel`)
      return `Run ${id} is ${run.state}.`
    })
  })
  cancel.ariaLabel = `Cancel run ${id}`
  const head = el(
    'div',
    'head',
    el('h3', '', `${kind} of ${document}`),
    badge,
    figures,
    el('span', 'push'),
    cancel,
  )
  return {
    element: el('article', 'card', head, waits, bar),
    update: (/** @type {UnderWay} */ run) => {
      say(badge, `run ${id}: ${run.state}`)
      say(figures, figuresOf(run))
      say(waits, run.waitsFor ?? '')
      waits.hidden = run.waitsFor === null
      cancel.disabled = run.state === 'cancelling'
      // Without a value it says that nobody knows yet.
      if (run.progress === null) bar.removeAttribute('value')
      else bar.value = run.progress
    },
  }
}

/** @param {UnderWay} run */
function figuresOf({ processed, total, progress, perSecond, remainingMs, worker }) {
  return [
    total === null ? `${count(processed)} keys` : `${count(processed)} of ${count(total)} keys`,
    ...(progress === null ? [] : [percent(progress)]),
    ...(perSecond === null ? [] : [`${count(Math.round(perSecond))}/s`]),
    ...(remainingMs === null ? [] : [`${duration(remainingMs)} left`]),
    ...(worker === null ? [] : [worker]),
  ].join(' · ')
}

/** @param {Run[]} runs */
function showLatest(runs) {
  list(
    byId('ended-runs'),
    runs.filter(({ finishedAt }) => finishedAt !== null),
    ({ id }) => id,
    (run) => {
      const failed = run.state === 'failed'
      const state = el(
        'td',
        'wide',
        el('span', `badge ${failed ? 'critical' : run.state === 'done' ? 'healthy' : ''}`, run.state),
      )
      if (run.error !== null) state.append(' ', el('span', failed ? 'problem' : 'quiet', run.error))
      return {
        element: el(
          'tr',
          '',
          el('td', '', run.id),
          el('td', '', run.kind),
          el('td', '', run.document),
          state,
          el('td', 'number', count(run.processed)),
          el('td', 'number', count(run.failed)),
          el('td', 'number', duration(run.elapsedMs)),
          el('td', '', run.requestedBy),
        ),
      }
    },
  )
}
