import { pino } from 'pino'
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
  const beside = admin
    ? (await import('../admin/beside.ts')).besideDaemon({
        settings,
        admin: await connections.admin(),
        schedules,
        log,
      })
    : null
  const instance = new Instance({
    settings,
    schedules,
    log,
    readElasticsearch: () => connections.readElasticsearch(),
    onBatch: (assignment, result) => events.batch(assignment, result),
    onState: (state) => events.state(state),
    ...(beside === null ? {} : { observer: beside.observer }),
  })
  instance.start()
  instance.finished.catch((error: unknown) => {
    events.state({ state: 'stopped', reason: error instanceof Error ? error.message : String(error) })
  })
  if (beside === null) return instance
  try {
    await beside.serve(instance)
    return {
      stop: async () => {
        await instance.stop()
        await beside.close()
      },
    }
  } catch (error) {
    await instance.stop()
    await beside.close()
    throw error
  }
}
