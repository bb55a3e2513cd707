import type { Endpoint } from './endpoint.ts'
import { changeEndpoints } from './routes/changes.ts'
import { eventsEndpoints } from './routes/events.ts'
import { failuresEndpoints } from './routes/failures.ts'
import { healthEndpoints } from './routes/health.ts'
import { logEndpoints } from './routes/log.ts'
import { metricsEndpoints } from './routes/metrics.ts'
import { runsEndpoints } from './routes/runs.ts'
import { startEndpoints } from './routes/start-runs.ts'
import { statusEndpoints } from './routes/status.ts'

/** Every page for programs; the one for people is in dashboard.ts. */
export const endpoints: readonly Endpoint[] = [
  ...healthEndpoints,
  ...metricsEndpoints,
  ...statusEndpoints,
  ...failuresEndpoints,
  ...runsEndpoints,
  ...logEndpoints,
  ...eventsEndpoints,
  ...startEndpoints,
  ...changeEndpoints,
]
