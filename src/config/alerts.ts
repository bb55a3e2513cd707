import { milliseconds } from './duration.ts'
import type { AlertSettings } from './types.ts'

/** As it is written in a configuration: longer than an ordinary burst takes, shorter than somebody takes to complain. */
export const DEFAULT_BACKLOG_AFTER = '10m'

export const DEFAULT_ALERTS: AlertSettings = {
  webhook: null,
  backlogAfterMs: milliseconds(DEFAULT_BACKLOG_AFTER) ?? 0,
  drift: 0,
}
