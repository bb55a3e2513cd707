import type { Endpoint } from '../endpoint.ts'
import { feedOf } from '../feed.ts'
import { snapshotJson } from '../snapshot.ts'

const TYPE = 'text/event-stream'
const HEADERS = {
  // The connection ends with the stream: kept for a next request, it would hold up the end of the server for seconds.
  connection: 'close',
  // nginx would gather what is to be seen at once.
  'x-accel-buffering': 'no',
}

/** What the dashboard lives on: a stream that lasts as long as somebody watches. */
const events: Endpoint = {
  method: 'GET',
  path: '/api/events',
  summary:
    'Health, status, failures by reason and the latest of the log, every two seconds, as server-sent events',
  params: null,
  query: null,
  body: null,
  statuses: [200],
  answer: null,
  contentType: TYPE,
  event: snapshotJson,
  handle: async (admin) => ({
    status: 200,
    body: feedOf(admin).watch(),
    contentType: TYPE,
    headers: HEADERS,
  }),
}

export const eventsEndpoints: readonly Endpoint[] = [events]
