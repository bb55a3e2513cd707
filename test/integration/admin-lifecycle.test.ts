import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigError } from '../../src/errors.ts'
import { createSluice } from '../../src/index.ts'
import { eventually } from '../support/context.ts'
import { type AdminWorld, adminWorld, ask, change, TOKEN } from './admin-world.ts'
import { workspace } from './cli-support.ts'

/** How HTTP for operators begins and ends: by itself, in the library, and in `sluice run`. */

let world: AdminWorld
let url: string

beforeAll(async () => {
  world = await adminWorld()
  url = world.admin.url
})
afterAll(() => world?.drop())

describe('the port', () => {
  test('taken is a warning, and this instance runs without', async () => {
    const port = Number(new URL(url).port)
    expect(await world.serve({ settings: { port } })).toBeNull()
    expect(JSON.parse(world.lines.at(-1) ?? '')).toMatchObject({
      level: 40,
      port,
      msg: expect.stringContaining('taken'),
    })
    expect((await ask(url, '/ready')).status).toBe(200)
  })

  test('"off" is none; an address of another machine is an error', async () => {
    expect(await world.serve({ settings: { port: null } })).toBeNull()
    await expect(world.serve({ settings: { host: '192.0.2.1' } })).rejects.toBeInstanceOf(ConfigError)
  })
})

describe('the end', () => {
  test('a request under way is answered, and then nobody is', async () => {
    const asked = Promise.withResolvers<void>()
    const held = Promise.withResolvers<string>()
    const render = () => {
      asked.resolve()
      return held.promise
    }
    const server = await world.serve({ metrics: { contentType: 'text/plain', render } })
    const answer = ask(server?.url ?? '', '/metrics')
    await asked.promise
    const closed = server?.close()
    await eventually(async () => (await refused(server?.url ?? '')) === true)
    held.resolve('late 1\n')
    expect(await answer).toMatchObject({ status: 200, text: 'late 1\n' })
    await closed
  })
})

describe('a change that waits at the end', () => {
  test('is broken off, answered, and not done afterwards, and the audit says so', async () => {
    const server = await world.serve()
    const holder = await world.database.pool.connect()
    try {
      await holder.query('BEGIN')
      await holder.query(`SELECT FROM sluice.sync_document WHERE name = 'item' FOR UPDATE`)
      const asked = change(server?.url ?? '', '/api/documents/item/pause', { reason: 'stuck' })
      await eventually(async () => {
        const waiting = await world.value(
          `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()
            AND application_name LIKE 'sluice %http%' AND wait_event_type = 'Lock'`,
        )
        return waiting === '1'
      })
      // The lock is held until after the end: what ends in time ends without it.
      await server?.close()
      expect(await asked).toMatchObject({ status: 503, body: { error: { code: 'unreachable' } } })
    } finally {
      await holder.query('ROLLBACK')
      holder.release()
    }
    const { rows } = await world.database.pool.query(
      `SELECT status, outcome FROM sluice.sync_audit WHERE asked ->> 'reason' = 'stuck'`,
    )
    expect(rows).toEqual([{ status: 503, outcome: 'unreachable' }])
    expect(await world.value(`SELECT state FROM sluice.sync_document WHERE name = 'item'`)).toBe('active')
  })
})

describe('whoever watches', () => {
  test('keeps no server from closing: the stream ends', async () => {
    const server = await world.serve()
    const watching = await fetch(`${server?.url}/api/events`)
    // Nor does its connection, kept for a next request.
    expect(watching.headers.get('connection')).toBe('close')
    // The headers come with the first snapshot. Not cut off: then this would reject.
    const told = watching.text()
    const closed = server?.close()
    expect(await told).toMatch(/^data: \{/)
    await closed
  })
})

describe('the library', () => {
  test('serves it where it is asked to, and closes it with the daemon', async () => {
    const sluice = createSluice({
      env: { ADMIN_PORT: '0' },
      config: {
        connection: { postgres: world.database.url, elasticsearch: world.server.url },
        documents: { item: world.definition },
      },
    })
    const served: string[] = []
    sluice.on('log', (event) => {
      if (event.message === 'HTTP for operators') served.push(String(event.url))
    })
    await sluice.start({ admin: true })
    expect(served).toHaveLength(1)
    const [own = ''] = served
    await eventually(async () => (await ask(own, '/ready')).status === 200)
    await sluice.stop()
    expect(await refused(own)).toBe(true)
  })
})

describe('sluice run', () => {
  test('serves it, and ends with exit code 0; for other machines only with a token', async () => {
    const place = await workspace({ DATABASE_URL: world.database.url, ELASTICSEARCH_URL: world.server.url })
    try {
      const config = { documents: { item: world.definition } }
      await place.write('sluice.config.json', JSON.stringify(config))
      const refusedStart = await place.sluice(['run'], { ADMIN_PORT: '0', ADMIN_HOST: '0.0.0.0' })
      expect(refusedStart.code).toBe(2)
      expect(refusedStart.stderr).toMatch(/ADMIN_HOST.*ADMIN_TOKEN/)
      const daemon = place.start(['run'], { ADMIN_PORT: '0', ADMIN_TOKEN: TOKEN })
      const address = () => /"url":"(http:[^"]+)"/.exec(daemon.output())?.[1]
      await eventually(async () => address() !== undefined, { describe: async () => daemon.output() })
      const own = address() ?? ''
      await eventually(async () => (await ask(own, '/ready')).status === 200)
      daemon.process.kill('SIGTERM')
      const ended = await daemon.ended
      expect(ended.code).toBe(0)
      expect(await refused(own)).toBe(true)
      expect(ended.stdout + ended.stderr).not.toContain(TOKEN)
    } finally {
      await place.remove()
    }
  })
})

/** Whether nobody listens there. */
function refused(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}
