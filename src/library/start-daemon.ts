import { pino } from 'pino'
import type { Settings } from '../config/types.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Connections } from './connections.ts'
import type { Events } from './events.ts'

/** A daemon in this process, and what is beside it. */
export interface Started {
  stop(): Promise<void>
}

/** Starts a daemon whose log and state are events; with `admin`, HTTP for operators beside it. */
export async function startDaemon(
  connections: Connections,
  events: Events,
  admin: boolean,
): Promise<Started> {
  const settings = await connections.settings()
  const schedules = await connections.schedules()
  const { Instance } = await import('../runs/instance.ts')
  const log = pino(
    {
      level: settings.logLevel,
      base: null,
      messageKey: 'message',
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line) => events.log(line) },
  )
  const metrics = admin ? await keepMetrics(settings) : null
  const instance = new Instance({
    settings,
    schedules,
    log,
    readElasticsearch: () => connections.readElasticsearch(),
    onBatch: (assignment, result) => events.batch(assignment, result),
    onState: (state) => events.state(state),
    ...(metrics === null ? {} : { observer: metrics.observer }),
  })
  instance.start()
  instance.finished.catch((error: unknown) => {
    events.state({ state: 'stopped', reason: error instanceof Error ? error.message : String(error) })
  })
  if (metrics === null) return instance
  try {
    const { startAdmin } = await import('../admin/server.ts')
    const { postgres, schema, documents } = settings
    const server = await startAdmin({
      settings: await connections.admin(),
      postgres,
      schema,
      instance: settings.instance,
      configured: { documents, schedules },
      elasticsearch: instance.elasticsearch,
      state: () => instance.daemon.state,
      metrics,
      log,
    })
    return {
      stop: async () => {
        await instance.stop()
        await server?.close()
        await metrics.close()
      },
    }
  } catch (error) {
    await instance.stop()
    await metrics.close()
    throw error
  }
}

async function keepMetrics(settings: Settings): Promise<Metrics> {
  const { createMetrics } = await import('../metrics/metrics.ts')
  return createMetrics(settings)
}
