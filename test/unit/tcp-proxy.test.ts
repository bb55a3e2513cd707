import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lateness, startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** A server that answers each piece with the same in capitals, and says what it got. */
let server: ReturnType<typeof createServer>
let proxy: TcpProxy
let client: Socket
let got: string
let answered: string
let failure: NodeJS.ErrnoException | null

beforeEach(async () => {
  got = ''
  answered = ''
  failure = null
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setEncoding('utf8').on('data', (text: unknown) => {
      got += String(text)
      socket.write(String(text).toUpperCase())
    })
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await startTcpProxy(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`)
  client = connect({ port: Number(new URL(proxy.url).port), host: '127.0.0.1', allowHalfOpen: true })
  client.setEncoding('utf8').on('data', (text) => {
    answered += text
  })
  client.on('error', (error) => {
    failure = error
  })
  await once(client, 'connect')
})
afterEach(async () => {
  client.destroy()
  await proxy.close()
  server.close()
})

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 5_000 }).toBe(true)

test('passes everything on', async () => {
  client.write('a')
  await until(() => answered === 'A')
  client.write('b'.repeat(3_000_000))
  await until(() => answered.length === 3_000_001)
  expect(proxy.connections).toBe(1)
})

test('holds what comes, and lets it go on', async () => {
  proxy.pace({ kind: 'hold' })
  client.write('a')
  await new Promise((resolve) => client.write('b', resolve))
  expect(got).toBe('')
  proxy.pace({ kind: 'open' })
  await until(() => answered === 'AB')
})

test.each([
  ['later', { kind: 'delay', ms: 20 }],
  ['by chance later', { kind: 'jitter', share: 0.9, ms: 20 }],
  ['in drops', { kind: 'drip', bytes: 3 }],
] as const)('lets it arrive %s, and whole', async (_, pace) => {
  proxy.pace(pace)
  client.write('abcdefgh')
  await until(() => answered === 'ABCDEFGH')
})

test.each([
  [{ kind: 'jitter', share: 0.03, ms: 300 }, [0, 0.015, 0.029, 0.03, 0.9], [0, 150, 290, 0, 0]],
  [{ kind: 'delay', ms: 50 }, [0, 0.9], [50, 50]],
  [{ kind: 'open' }, [0, 0.9], [0, 0]],
] as const)('with %o a piece is late by its luck', (pace, lucks, late) => {
  expect(lucks.map((luck) => Math.round(lateness(pace, luck)))).toEqual(late)
})

test('cuts connections', async () => {
  client.write('a')
  await until(() => answered === 'A')
  proxy.cut()
  await until(() => client.destroyed)
  expect(failure?.code).toBe('ECONNRESET')
  await until(() => proxy.connections === 0)
})

test('ends the way back, and not the way there', async () => {
  client.write('a')
  await until(() => answered === 'A')
  proxy.halfClose()
  await once(client, 'end')
  client.write('b')
  await until(() => got === 'ab')
  expect(answered).toBe('A')
})

test('cuts a connection in the middle of an answer', async () => {
  client.write('a')
  await until(() => answered === 'A')
  proxy.cutNextAnswer()
  client.write('abcdefgh')
  await until(() => client.destroyed)
  expect(got).toBe('aabcdefgh')
  expect(answered.length).toBeLessThanOrEqual(5)
})

test('a client that resets is no error', async () => {
  client.write('a')
  await until(() => answered === 'A')
  client.resetAndDestroy()
  await until(() => proxy.connections === 0)
})
