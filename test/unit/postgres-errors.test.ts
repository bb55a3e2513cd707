import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import pg from 'pg'
import { expect, test } from 'vitest'
import { isConnectionError } from '../../src/postgres/connect.ts'
import { isDataError } from '../../src/postgres/read-transaction.ts'

test.each([
  ['22003', true],
  ['22P02', true],
  ['54000', true],
  ['54001', false],
  ['42703', false],
  ['57014', false],
])('an error of SQLSTATE %s is some value’s fault: %s', (code, expected) => {
  expect(isDataError(Object.assign(new pg.DatabaseError('m', 1, 'error'), { code }))).toBe(expected)
})

test('a client and a pool that get no connection in time are no answer of Postgres', async () => {
  const silent = createServer()
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  const { port } = silent.address() as AddressInfo
  const options = { host: '127.0.0.1', port, connectionTimeoutMillis: 20, max: 1 }
  const pool = new pg.Pool(options)
  try {
    const attempts = [new pg.Client(options).connect(), pool.connect(), pool.connect()]
    const ends = await Promise.allSettled(attempts)
    for (const end of ends) {
      expect(end.status).toBe('rejected')
      if (end.status === 'rejected') expect(isConnectionError(end.reason), end.reason.message).toBe(true)
    }
  } finally {
    await pool.end()
    silent.close()
  }
})
