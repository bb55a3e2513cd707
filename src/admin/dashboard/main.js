// @ts-check
// The page from top to bottom: what a snapshot shows where, and what keeps it coming.

import { storedToken } from './api.js'
import { login, prepareLogin } from './ask.js'
import { showBatches } from './batches.js'
import { showDocuments } from './documents.js'
import { byId, say } from './dom.js'
import { showFailures } from './failures.js'
import { clock } from './format.js'
import { showHealth } from './health.js'
import { showRuns } from './runs.js'
import { watch } from './stream.js'
import { showWorkers } from './workers.js'

let lastAt = ''

/** @param {import('./stream.js').Snapshot} snapshot */
function show(snapshot) {
  lastAt = snapshot.at
  showHealth(snapshot)
  const { at, known } = snapshot
  // What is on the page stays while Postgres is away.
  if (known === null) return
  showDocuments(at, known)
  showFailures(known.failures)
  showRuns(known.status)
  showWorkers(known.status.workers)
  showBatches(known.log)
}

/** @param {string | null} problem */
function connected(problem) {
  if (problem === null) {
    say(byId('live'), 'live')
    return
  }
  say(byId('live'), lastAt === '' ? problem : `${problem}; as of ${clock(lastAt)}`)
  const grade = byId('grade')
  grade.className = 'badge critical'
  say(grade, '? not known')
}

/** Whoever waits for a token to be stored. @type {(() => void)[]} */
let waiting = []
/** Why the daemon shows nothing; empty while it does. */
let refusal = ''

function tokenChanged() {
  refusal = ''
  say(byId('token'), storedToken() === null ? 'Token' : 'Token ✓')
  for (const resolve of waiting) resolve()
  waiting = []
}

prepareLogin(tokenChanged)
tokenChanged()
byId('token').addEventListener('click', () => void login(refusal))
void watch({
  seen: show,
  connected,
  refused: async (why) => {
    const changed = new Promise((/** @type {(value: void) => void} */ resolve) => waiting.push(resolve))
    refusal = storedToken() === null ? 'This daemon shows nothing without it.' : why
    // Stays when the dialog is left: the way back in.
    say(byId('token'), 'Log in')
    void login(refusal)
    await changed
  },
})
