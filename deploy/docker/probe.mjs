// Asks the admin API of the daemon in the same container, for health checks: `node probe.mjs /ready` ends with exit code 0
// where it answers 200, `node probe.mjs /health --alive` where it answers anything within five seconds. The second is for
// what restarts a container: a daemon that says "critical" because Elasticsearch is away is not mended by a restart.
// It asks on the loopback interface, and shows ADMIN_TOKEN where there is one. No curl is needed in the image.
import { readFile } from 'node:fs/promises'

const [path = '/ready', alive] = process.argv.slice(2)
const { ADMIN_PORT = '9187', ADMIN_TOKEN, CREDENTIALS_DIRECTORY } = process.env
const file = CREDENTIALS_DIRECTORY && `${CREDENTIALS_DIRECTORY}/ADMIN_TOKEN`
const token = ADMIN_TOKEN || (file && (await readFile(file, 'utf8').catch(() => '')))
const headers = token ? { authorization: `Bearer ${token.trim()}` } : {}
const url = `http://127.0.0.1:${ADMIN_PORT}${path}`
try {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(5_000) })
  const text = (await answer.text()).slice(0, 500)
  process.stdout.write(`${answer.status} ${text}\n`)
  process.exitCode = answer.ok || alive === '--alive' ? 0 : 1
} catch (error) {
  process.stdout.write(`${url}: ${error.cause?.code ?? error.message}\n`)
  process.exitCode = 1
}
