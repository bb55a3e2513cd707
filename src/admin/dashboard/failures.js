// @ts-check
// What fails, by document, type and reason; retry and discard, of a whole reason or of one document.

import { get, post } from './api.js'
import { attempt, sure } from './ask.js'
import { button, byId, el, list, listOr, say } from './dom.js'
import { clock, count, plural } from './format.js'

/** @typedef {NonNullable<import('./stream.js').Snapshot['known']>} Known */
/** @typedef {Known['failures'][number]} Group */
/** @typedef {import('zod').infer<typeof import('../../answers/json/failed.ts').failedListJson>['failures'][number]} Failure */

/** As many as a request takes ids; and as many as anybody reads. */
const MOST_IDS = 1000
const MOST_SHOWN = 50
/** Of another reason, a page of MOST_IDS may hold none: so many are looked through. */
const MOST_PAGES = 20

/** @type {readonly Group[]} */
let groups = []

/** @param {Known['failures']} failures */
export function showFailures(failures) {
  groups = failures
  listOr(
    byId('failure-list'),
    failures,
    ({ document: name, type, reason }) => JSON.stringify([name, type, reason]),
    card,
    'Nothing fails.',
  )
}

/** @param {Group} group */
function card(group) {
  const { document: name, type, reason } = group
  const badge = el('span', 'badge')
  const times = el('span', 'quiet')
  const body = el('tbody')
  const more = el('p', 'quiet')
  const table = el('table', '', el('thead', '', headings()), body)
  const shown = el('details', '', el('summary', '', 'Documents'), el('div', 'scroll', table), more)
  const unfold = () => attemptQuietly(() => showMembers(group, body, more), more)
  shown.addEventListener('toggle', () => {
    if (shown.open) void unfold()
  })
  const retry = button('Retry', () => attempt(() => change('retry', group)))
  const discard = button('Discard', () => askedDiscard(group), 'danger')
  retry.ariaLabel = `Retry ${type} of ${name}`
  discard.ariaLabel = `Discard ${type} of ${name}`
  const head = el(
    'div',
    'head',
    el('h3', '', `${name}: ${type}`),
    badge,
    times,
    el('span', 'push'),
    retry,
    discard,
  )
  let before = ''
  return {
    element: el('article', 'card', head, el('p', '', reason), shown),
    update: (/** @type {Group} */ now) => {
      badge.className = `badge ${now.dead > 0 ? 'critical' : 'degraded'}`
      const texts = [
        ...(now.dead > 0 ? [`${count(now.dead)} dead`] : []),
        ...(now.retrying > 0 ? [`${count(now.retrying)} retrying`] : []),
      ]
      say(badge, texts.join(', '))
      say(times, `${clock(now.firstFailedAt)} to ${clock(now.lastFailedAt)}`)
      discard.disabled = now.dead === 0
      const state = JSON.stringify(now)
      if (shown.open && state !== before) void unfold()
      before = state
    },
  }
}

function headings() {
  const names = ['Document', 'State', 'Attempts', 'Last failed', 'Index', 'Action']
  return el('tr', '', ...names.map((name) => el('th', name === 'Attempts' ? 'number' : '', name)))
}

/**
 * @param {Group} group
 * @param {Element} body
 * @param {Element} more
 */
async function showMembers(group, body, more) {
  const { failures, left } = await members(group, MOST_SHOWN)
  list(
    body,
    failures,
    ({ key, target, lastFailedAt, state }) => JSON.stringify([key, target, lastFailedAt, state]),
    ({ id, state, attempts, lastFailedAt, target }) => {
      const one = { ...group, ids: [id] }
      const retry = button('Retry', () => attempt(() => change('retry', one)))
      const discard = button('Discard', () => askedDiscard(one), 'danger')
      retry.ariaLabel = `Retry document ${id}`
      discard.ariaLabel = `Discard document ${id}`
      discard.disabled = state !== 'dead'
      return {
        element: el(
          'tr',
          '',
          el('td', 'wide', el('code', '', id)),
          el('td', '', state),
          el('td', 'number', count(attempts)),
          el('td', '', clock(lastFailedAt)),
          el('td', '', target === '' ? 'not sent' : target),
          el('td', '', retry, ' ', discard),
        ),
      }
    },
  )
  say(more, left ? `The latest ${failures.length}. The others: sluice failed list ${group.document}` : '')
}

/**
 * Failures of one reason. The API lists by type, so that those of other reasons are passed over.
 * @param {Group} group
 * @param {number} most
 * @returns {Promise<{ failures: Failure[], left: boolean }>} left: there are more, or may be
 */
async function members({ document: name, type, reason }, most) {
  /** @type {Failure[]} */
  const found = []
  let after = {}
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = new URLSearchParams({ document: name, type, limit: String(MOST_IDS), ...after })
    const answer = await get(`/api/failures?${query}`)
    found.push(...answer.failures.filter((/** @type {Failure} */ failure) => failure.reason === reason))
    if (answer.next === null) return { failures: found.slice(0, most), left: found.length > most }
    if (found.length > most) break
    after = { after: answer.next }
  }
  return { failures: found.slice(0, most), left: true }
}

/** @typedef {Group & { ids?: readonly string[] }} Chosen */

/** @param {Chosen} chosen */
async function askedDiscard(chosen) {
  const { document: name, reason, dead, ids } = chosen
  const which = ids === undefined ? plural(currentDead(chosen) ?? dead, 'dead letter') : `document ${ids[0]}`
  const text = `${which} of ${name}: ${reason}. Nobody tries again, and the index keeps what it has. A later change of the row counts as always.`
  if (await sure('Discard?', text, 'Discard')) await attempt(() => change('discard', chosen))
}

/** @param {Group} group */
function currentDead({ document: name, type, reason }) {
  return groups.find((one) => one.document === name && one.type === type && one.reason === reason)?.dead
}

/**
 * @param {'retry' | 'discard'} what
 * @param {Chosen} chosen
 * @returns {Promise<string>} what came of it
 */
async function change(what, chosen) {
  const { document: name, type } = chosen
  // A whole type is one request. Where it has several reasons, those of this one are named.
  const single = groups.filter((one) => one.document === name && one.type === type).length <= 1
  /** @type {{ document: string, type: string, ids?: readonly string[] }} */
  const body = { document: name, type }
  let left = false
  if (chosen.ids !== undefined) body.ids = chosen.ids
  else if (!single) {
    const found = await members(chosen, MOST_IDS)
    left = found.left
    body.ids = [...new Set(found.failures.map(({ id }) => id))]
    if (body.ids.length === 0) {
      return left
        ? `None is among the latest ${count(MOST_PAGES * MOST_IDS)} of its type.`
        : 'There are none any more.'
    }
  }
  const answer = await post(`/api/failures/${what}`, body)
  const done = what === 'retry' ? 'marked again' : 'discarded'
  return `${plural(answer.count, 'document')} ${done}.${left ? ' There are more: press it again.' : ''}`
}

/**
 * @param {() => Promise<void>} read
 * @param {Element} place
 */
async function attemptQuietly(read, place) {
  await read().catch((error) => say(place, `Not shown: ${error instanceof Error ? error.message : error}`))
}
