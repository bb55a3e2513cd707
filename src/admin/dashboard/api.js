// @ts-check
// Talks to the API that everybody has (docs/http.md). The token lives in this tab alone.

const KEY = 'sluice-token'

/** Why something was not done, in the words of the server. */
export class Refused extends Error {
  /**
   * @param {number} status 0: nobody answered
   * @param {string} message
   * @param {string} [remedy]
   */
  constructor(status, message, remedy) {
    super(remedy === undefined ? message : `${message}. ${remedy}`)
    this.status = status
  }
}

export const storedToken = () => sessionStorage.getItem(KEY)

/** @param {string | null} token */
export function storeToken(token) {
  if (token === null) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, token)
}

/** @param {string | null} token @returns {Record<string, string>} */
export function authorization(token = storedToken()) {
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/**
 * @param {string} path
 * @param {RequestInit} init
 * @returns {Promise<Response>} an answer that is no error; throws Refused
 */
export async function ask(path, init) {
  const response = await fetch(path, { cache: 'no-store', ...init }).catch(() => {
    throw new Refused(0, 'the daemon does not answer')
  })
  if (response.ok) return response
  const { error } = await response.json().catch(() => ({ error: { message: `status ${response.status}` } }))
  throw new Refused(response.status, error.message, error.remedy)
}

/**
 * @param {string} path
 * @param {string | null} token
 */
export async function get(path, token = storedToken()) {
  return (await ask(path, { headers: authorization(token) })).json()
}

/**
 * @param {string} path
 * @param {object} body
 */
export async function post(path, body = {}) {
  const headers = { ...authorization(), 'content-type': 'application/json' }
  return (await ask(path, { method: 'POST', headers, body: JSON.stringify(body) })).json()
}
