import type { Logger } from 'pino'
import type { AdminSettings, ScheduleDefinition, Settings } from '../config/types.ts'
import { createMetrics } from '../metrics/metrics.ts'
import type { Instance } from '../runs/instance.ts'
import type { DaemonObserver } from '../sync/observer.ts'
import { type AdminServer, startAdmin } from './server.ts'

/** HTTP for operators beside a daemon of this process, with what it counts. */
export interface Beside {
  /** For the daemon, from its first batch on. */
  readonly observer: DaemonObserver
  /** Begins to serve; throws a ConfigError for an address that cannot be listened on. */
  serve(instance: Instance): Promise<void>
  /** After the daemon has stopped: while it drains, /ready says so. */
  close(): Promise<void>
}

interface BesideOptions {
  readonly settings: Settings
  readonly admin: AdminSettings
  readonly schedules: ReadonlyMap<string, ScheduleDefinition>
  readonly log: Logger
}

export function besideDaemon({ settings, admin, schedules, log }: BesideOptions): Beside {
  const { postgres, schema, documents } = settings
  const metrics = createMetrics(settings)
  let server: AdminServer | null = null
  return {
    observer: metrics.observer,
    serve: async (instance) => {
      server = await startAdmin({
        settings: admin,
        postgres,
        schema,
        instance: settings.instance,
        configured: { documents, schedules },
        elasticsearch: instance.elasticsearch,
        state: () => instance.daemon.state,
        metrics,
        log,
      })
    },
    close: async () => {
      await server?.close()
      await metrics.close()
    },
  }
}
