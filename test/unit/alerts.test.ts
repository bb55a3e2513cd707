import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { StandingAlert } from '../../src/queue/change-alerts.ts'
import type { DuePost } from '../../src/queue/post-alerts.ts'
import type { Condition } from '../../src/queue/read-conditions.ts'
import { decideAlerts, isNothing } from '../../src/sync/decide-alerts.ts'
import { alertLine, postToWebhook } from '../../src/sync/webhook.ts'

const holds = (more: Partial<Condition> = {}): Condition => ({
  name: 'backlog_old',
  document: 'city',
  severity: 'warning',
  reason: 'its oldest mark is old',
  since: '2026-01-01',
  due: true,
  ...more,
})
const stands = (more: Partial<StandingAlert> = {}): StandingAlert => {
  const { since: _since, due: _due, ...said } = holds()
  return { id: '7', ...said, ...more }
}

describe('an alert', () => {
  it('is raised by a condition that is due', () => {
    expect(decideAlerts([holds()], [])).toEqual({ raise: [holds()], reword: [], clear: [] })
  })

  it('is not raised by one that is not due yet', () => {
    expect(isNothing(decideAlerts([holds({ due: false })], []))).toBe(true)
  })

  it.each([true, false])('stands while its condition holds (due: %s)', (due) => {
    expect(isNothing(decideAlerts([holds({ due })], [stands()]))).toBe(true)
  })

  it('is reworded, not raised again, when its reason or severity changes', () => {
    const worse = holds({ reason: 'older', severity: 'critical' })
    const reword = [{ id: '7', severity: 'critical', reason: 'older' }]
    expect(decideAlerts([worse], [stands()])).toEqual({ raise: [], reword, clear: [] })
  })

  it.each<Partial<Condition>>([{ reason: 'older' }, { severity: 'critical' }])(
    'is reworded by %j alone',
    (more) => {
      expect(decideAlerts([holds(more)], [stands()]).reword).toMatchObject([{ id: '7', ...more }])
    },
  )

  it('is cleared when its condition is gone', () => {
    expect(decideAlerts([], [stands()])).toEqual({ raise: [], reword: [], clear: [stands()] })
  })

  it('is another one for another document, for none, or by another name', () => {
    const others = [holds({ document: 'country' }), holds({ document: null }), holds({ name: 'drift' })]
    expect(decideAlerts(others, [stands()])).toEqual({ raise: others, reword: [], clear: [stands()] })
    expect(decideAlerts([holds({ document: null })], [stands({ document: null })]).raise).toEqual([])
  })
})

it('there is something to do where alerts are raised, reworded or cleared, whatever else is', () => {
  const [raise, reword, clear] = [[holds()], [stands()], [stands()]]
  const none = { raise: [], reword: [], clear: [] }
  expect(isNothing(none)).toBe(true)
  for (const some of [
    { raise },
    { reword },
    { clear },
    { raise, reword },
    { raise, clear },
    { reword, clear },
  ]) {
    expect(isNothing({ ...none, ...some })).toBe(false)
  }
})

describe('what is posted', () => {
  const due: DuePost & { instance: string } = {
    id: '7',
    state: 'raised',
    name: 'backlog_old',
    document: 'city',
    severity: 'warning',
    reason: 'its oldest mark is old',
    since: '2026-01-01T00:00:00.000Z',
    raisedAt: '2026-01-01T00:10:00.000Z',
    clearedAt: null,
    lease: 'x',
    instance: 'one',
  }
  const signal = new AbortController().signal

  it('has a line for people', () => {
    expect(alertLine(due)).toBe(
      'sluice: warning: backlog_old of city (since 2026-01-01T00:00:00.000Z): its oldest mark is old',
    )
    expect(alertLine({ ...due, state: 'cleared', document: null })).toBe('sluice: cleared: backlog_old')
  })

  it('goes to the URL, with its user and password as a header; no error names more than the host', async () => {
    const seen: { authorization: string | undefined; url: string | undefined; body: unknown }[] = []
    let status = 204
    const server = createServer((request, response) => {
      let text = ''
      request.on('data', (piece) => {
        text += piece
      })
      request.on('end', () => {
        seen.push({ authorization: request.headers.authorization, url: request.url, body: JSON.parse(text) })
        response.writeHead(status, { location: '/elsewhere' }).end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const url = `http://me:p%40ss@${host}/s3cr3t`
    const post = () =>
      postToWebhook(url, due, { timeoutMs: 20_000, signal }).then(
        () => 'taken',
        (error: Error) => error.message,
      )
    try {
      expect(await post()).toBe('taken')
      const { lease: _, ...news } = due
      expect(seen).toEqual([
        {
          authorization: `Basic ${btoa('me:p@ss')}`,
          url: '/s3cr3t',
          body: { ...news, text: alertLine(due) },
        },
      ])
      status = 500
      expect(await post()).toBe(`${host} answers 500`)
      status = 302
      expect(await post()).toMatch(new RegExp(`^${host} does not answer: \\w+$`))
      expect(seen).toHaveLength(3)
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    expect(await post()).toMatch(new RegExp(`^${host} does not answer: \\w+$`))
  })
})
