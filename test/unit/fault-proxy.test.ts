import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { sieve } from '../support/refused-items.ts'

const busy = { status: 429, error: { type: 'es_rejected_execution_exception', reason: 'rejected' } }

const body = [
  '{"index":{"_index":"a","_id":"1"}}',
  '{"n":1}',
  '{"delete":{"_index":"a","_id":"2"}}',
  '{"index":{"_index":"a","_id":"3"}}',
  '{"n":3}',
  '',
].join('\n')

/** Refuses the operations at these places. */
const at = (...places: readonly number[]) => {
  let n = 0
  return () => (places.includes(n++) ? busy : null)
}

describe('refused items of a bulk request', () => {
  test('are not forwarded, and stand at their places in the answer', () => {
    const { body: left, answered } = sieve(body, at(1))
    expect(left).toBe(
      '{"index":{"_index":"a","_id":"1"}}\n{"n":1}\n{"index":{"_index":"a","_id":"3"}}\n{"n":3}\n',
    )
    const answer = { took: 7, errors: false, items: [{ index: { status: 201 } }, { index: { status: 200 } }] }
    expect(JSON.parse(answered(JSON.stringify(answer)))).toEqual({
      took: 7,
      errors: true,
      items: [{ index: { status: 201 } }, { delete: busy }, { index: { status: 200 } }],
    })
    expect(() => answered('{"took":7,"items":[]}')).toThrow('0 items for 2 operations')
  })

  test('may be all, or none', () => {
    const all = sieve(body, () => busy)
    expect(all.body).toBe('')
    expect(JSON.parse(all.answered(null))).toEqual({
      took: 0,
      errors: true,
      items: [{ index: busy }, { delete: busy }, { index: busy }],
    })
    expect(sieve(body, () => null).body).toBe(body)
  })
})

describe('the fault proxy', () => {
  let server: Server
  let proxy: FaultProxy
  let applied: string[]
  beforeEach(async () => {
    applied = []
    server = createServer((incoming, outgoing) => {
      let text = ''
      incoming.on('data', (chunk) => {
        text += chunk
      })
      incoming.on('end', () => {
        applied.push(text)
        outgoing.end('{"ok":true}')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    proxy = await startFaultProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
  afterEach(async () => {
    await proxy.close()
    server.close()
    server.closeAllConnections()
  })
  const post = (text: string, signal?: AbortSignal) =>
    fetch(`${proxy.url}/_bulk`, { method: 'POST', body: text, ...(signal === undefined ? {} : { signal }) })

  test('asks a function about each request, and passes what it lets pass', async () => {
    let n = 0
    proxy.break('/_bulk', () => (n++ === 0 ? { kind: 'reset-after' } : null))
    await expect(post('first')).rejects.toThrow()
    expect(await (await post('second')).json()).toEqual({ ok: true })
    expect(applied).toEqual(['first', 'second'])
    expect(proxy.lost).toBe(1)
  })

  test('delivers a late request after its client has gone, and never answers one that hangs', async () => {
    const hurry = new AbortController()
    proxy.break('/_bulk', { kind: 'hang-after' })
    const hanging = post('hangs', hurry.signal)
    await eventually(() => expect(applied).toEqual(['hangs']))
    proxy.break('/_bulk', { kind: 'late', ms: 0 })
    const late = post('late', hurry.signal)
    await eventually(() => proxy.seen.length === 2)
    expect(applied).toEqual(['hangs'])
    hurry.abort()
    await expect(hanging).rejects.toThrow()
    await expect(late).rejects.toThrow()
    await eventually(() => expect(applied).toEqual(['hangs', 'late']))
    await eventually(() => proxy.lost === 2)
  })
})
