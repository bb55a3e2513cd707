import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** What asks a daemon in its container for its health, against a server that answers as the admin API may. */

const repository = join(import.meta.dirname, '../..')
const probe = 'deploy/docker/probe.mjs'

interface Answer {
  readonly code: number
  readonly said: string
}

async function ask(port: number, ...args: readonly string[]): Promise<Answer> {
  const ended = promisify(execFile)(process.execPath, [probe, ...args], {
    cwd: repository,
    env: { ADMIN_PORT: String(port) },
  })
  return ended.then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, said: error.stdout }),
  )
}

test('probe.mjs passes a 200; with --alive any answer; nobody there never', async () => {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === '/ready' ? 503 : 200).end(`about ${url}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const [health, ready, alive] = await Promise.all([
    ask(port, '/health'),
    ask(port, '/ready'),
    ask(port, '/ready', '--alive'),
  ])
  await new Promise((resolve) => server.close(resolve))
  expect(health).toEqual({ code: 0, said: '200 about /health\n' })
  expect(ready).toEqual({ code: 1, said: '503 about /ready\n' })
  expect(alive).toEqual({ code: 0, said: '503 about /ready\n' })
  const nobody = { code: 1, said: `http://127.0.0.1:${port}/health: ECONNREFUSED\n` }
  expect(await ask(port, '/health', '--alive')).toEqual(nobody)
})

test.each(['docker/Dockerfile', 'kubernetes/deployment.yaml'])('%s asks with it', (file) => {
  const text = readFileSync(join(repository, 'deploy', file), 'utf8')
  const asked = [...text.matchAll(/node_modules\/sluice\/([\w/.]+\.mjs)/g)].map(([, path]) => path)
  expect(asked).not.toEqual([])
  expect(new Set(asked)).toEqual(new Set([probe]))
})
