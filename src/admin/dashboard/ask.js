// @ts-check
// Asks the person in front: for a token, and whether it is really meant. Tells what came of it.

import { get, Refused, storedToken, storeToken } from './api.js'
import { byId, say } from './dom.js'

const NOTICE_MS = 8_000
/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding

/** @param {string} text */
export function notice(text) {
  const place = byId('notice')
  clearTimeout(hiding)
  place.hidden = false
  say(place, text)
  hiding = setTimeout(() => {
    place.hidden = true
  }, NOTICE_MS)
}

/**
 * @param {string} title
 * @param {string} text
 * @param {string} yes what the button says
 * @returns {Promise<boolean>}
 */
export function sure(title, text, yes) {
  say(byId('ask-title'), title)
  say(byId('ask-text'), text)
  say(byId('ask-yes'), yes)
  const dialog = dialogOf('ask')
  dialog.returnValue = 'no'
  dialog.showModal()
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }),
  )
}

/**
 * Asks for a token until the daemon takes one.
 * @param {string} why
 * @returns {Promise<boolean>} whether there is one now
 */
export function login(why = '') {
  const dialog = dialogOf('login')
  const input = /** @type {HTMLInputElement} */ (byId('login-token'))
  input.value = ''
  say(byId('login-problem'), why)
  byId('login-forget').hidden = storedToken() === null
  if (!dialog.open) dialog.showModal()
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'taken'), { once: true }),
  )
}

/** Wires the dialog for the token; called once. @param {() => void} changed */
export function prepareLogin(changed) {
  const dialog = dialogOf('login')
  const input = /** @type {HTMLInputElement} */ (byId('login-token'))
  const close = (/** @type {string} */ outcome) => {
    dialog.close(outcome)
    changed()
  }
  dialog.querySelector('form')?.addEventListener('submit', async (event) => {
    event.preventDefault()
    const token = input.value.trim()
    try {
      await get('/api/workers', token)
    } catch (error) {
      // Postgres may be away: then it was taken all the same.
      if (!(error instanceof Refused) || error.status !== 503) {
        say(byId('login-problem'), error instanceof Error ? error.message : String(error))
        input.select()
        return
      }
    }
    storeToken(token)
    close('taken')
  })
  byId('login-cancel').addEventListener('click', () => dialog.close('no'))
  byId('login-forget').addEventListener('click', () => {
    storeToken(null)
    close('no')
  })
  dialog.addEventListener('cancel', () => {
    dialog.returnValue = 'no'
  })
}

/**
 * Does a change, asks for the token where one is missing, and tells how it went.
 * @param {() => Promise<string>} change resolves with what to tell
 */
export async function attempt(change) {
  try {
    notice(await change())
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      if (await login(error.message)) await attempt(change)
      return
    }
    notice(error instanceof Error ? `Not done: ${error.message}` : String(error))
  }
}

/** @param {string} id */
function dialogOf(id) {
  return /** @type {HTMLDialogElement} */ (byId(id))
}
