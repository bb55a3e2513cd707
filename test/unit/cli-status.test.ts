import { expect, test } from 'vitest'
import type { Status } from '../../src/cli/read-status.ts'
import { statusText } from '../../src/cli/status-text.ts'

const since = '2026-01-01T00:00:00.000Z'

const worker = (instance: string): Status['workers'][number] => ({
  instance,
  alive: true,
  state: 'running',
  reason: null,
  since,
  version: '1',
  pauses: [
    { document: 'city', index: 'cities-2', type: 'index_closed_exception', reason: 'closed', since },
    { document: 'country', index: null, type: 'timeout', reason: 'no answer', since },
  ],
  startedAt: since,
  seenMsAgo: 100,
})

test('a status says once what waits, however many daemons say it: a document, or one index of it', () => {
  const text = statusText({
    documents: [],
    notInstalled: [],
    workers: [worker('a'), worker('b')],
    runs: [],
    alerts: [],
    failedRuns: [],
    schedules: [],
    schedulesNotInstalled: [],
    indices: [],
  })
  expect(text.split('\n').filter((line) => /closed|no answer/.test(line))).toEqual([
    expect.stringContaining('city: cities-2 takes no writes, its keys are parked: closed'),
    expect.stringContaining('country waits: no answer'),
  ])
})
