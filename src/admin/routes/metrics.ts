import { readAlerts } from '../../queue/read-alerts.ts'
import { type Endpoint, get } from '../endpoint.ts'
import { HttpError } from '../errors.ts'
import { alertsJson } from '../json.ts'

/** Text in a format of the source's own. */
const metrics: Endpoint = {
  method: 'GET',
  path: '/metrics',
  summary: 'Figures for Prometheus',
  params: null,
  query: null,
  body: null,
  statuses: [200],
  answer: null,
  handle: async ({ metrics: source }) => {
    if (source === null) throw new HttpError(404, 'not-found', 'this instance keeps no metrics')
    return { status: 200, body: await source.render(), contentType: source.contentType }
  },
}

export const metricsEndpoints: readonly Endpoint[] = [
  metrics,
  get({
    path: '/api/alerts',
    summary: 'Conditions that last, and that somebody has to look at',
    answer: alertsJson,
    handle: async ({ pool, schema }) => ({ alerts: [...(await readAlerts(pool, schema))] }),
  }),
]
