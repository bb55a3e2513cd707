import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
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

async function ask(
  port: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const ended = promisify(execFile)(process.execPath, [probe, ...args], {
    cwd: repository,
    env: { ADMIN_PORT: String(port), ...env },
  })
  return ended.then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, said: error.stdout }),
  )
}

test('probe.mjs passes a 200; with --alive any answer; nobody there never', async () => {
  const server = createServer(({ url, headers }, response) => {
    response
      .writeHead(url === '/ready' ? 503 : 200)
      .end(`about ${url}, for ${headers.authorization ?? 'anybody'}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const credentials = await mkdtemp(join(tmpdir(), 'sluice-probe-'))
  await writeFile(join(credentials, 'ADMIN_TOKEN'), 'from a file\n')
  const answers = [
    await ask(port, ['/health']),
    await ask(port, ['/ready']),
    await ask(port, ['/ready', '--alive'], { ADMIN_TOKEN: 'from the environment' }),
    await ask(port, ['/health'], { CREDENTIALS_DIRECTORY: credentials }),
    await ask(port, ['/health'], { CREDENTIALS_DIRECTORY: join(credentials, 'nowhere') }),
  ]
  await rm(credentials, { recursive: true })
  await new Promise((resolve) => server.close(resolve))
  expect(answers).toEqual([
    { code: 0, said: '200 about /health, for anybody\n' },
    { code: 1, said: '503 about /ready, for anybody\n' },
    { code: 0, said: '503 about /ready, for Bearer from the environment\n' },
    { code: 0, said: '200 about /health, for Bearer from a file\n' },
    { code: 0, said: '200 about /health, for anybody\n' },
  ])
  const nobody = { code: 1, said: `http://127.0.0.1:${port}/health: ECONNREFUSED\n` }
  expect(await ask(port, ['/health', '--alive'])).toEqual(nobody)
})

test.each(['docker/Dockerfile', 'kubernetes/deployment.yaml'])('%s asks with it', (file) => {
  const text = readFileSync(join(repository, 'deploy', file), 'utf8')
  const asked = [...text.matchAll(/node_modules\/sluice\/([\w/.]+\.mjs)/g)].map(([, path]) => path)
  expect(asked).not.toEqual([])
  expect(new Set(asked)).toEqual(new Set([probe]))
})
