import { get } from '../endpoint.ts'
import { healthJson, readyJson } from '../json.ts'
import { readHealth, reasonsNotReady } from '../read-health.ts'

export const healthEndpoints = [
  get({
    path: '/health',
    summary: 'How documents are doing: healthy, degraded or critical (503), by component',
    answer: healthJson,
    statuses: [200, 503],
    statusOf: ({ status }) => (status === 'critical' ? 503 : 200),
    handle: (admin) => readHealth(admin),
  }),
  get({
    path: '/ready',
    summary: 'Whether this instance has joined both servers and is not stopping (503: why not)',
    answer: readyJson,
    statuses: [200, 503],
    statusOf: ({ ready }) => (ready ? 200 : 503),
    handle: async (admin) => {
      const reasons = await reasonsNotReady(admin)
      return { ready: reasons.length === 0, reasons: [...reasons] }
    },
  }),
]
