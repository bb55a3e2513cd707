import type { Command } from 'commander'
import { pino } from 'pino'
import { describeError } from '../../errors.ts'
import { Instance } from '../../runs/instance.ts'
import { version } from '../../version.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { serviceNotify } from '../service-notify.ts'

export function registerRun(program: Command): void {
  program
    .command('run')
    .description('The daemon: turns marks into documents until it is stopped')
    .addHelpText(
      'after',
      examples(
        ['sluice run', 'start as many as you like, in any order, with no setup'],
        ['CONCURRENCY=4 LOG_LEVEL=debug sluice run', 'four batches in flight, more in the log'],
        [
          'kill -TERM <pid>',
          'finish the batches under way and end; a second time: end at once, nothing is lost',
        ],
      ),
    )
    .action(action(run))
}

/**
 * Logs JSON lines to standard output. The first SIGTERM or SIGINT drains, within SHUTDOWN_TIMEOUT; a second one ends
 * at once: connections are cut, and Postgres puts the marks of unfinished batches back.
 */
async function run(context: CommandContext): Promise<ExitCode> {
  const settings = await context.settings()
  const log = pino({
    name: 'sluice',
    level: settings.logLevel,
    base: { instance: settings.instance },
    // Nothing of the kind is logged on purpose; this is for the day somebody logs an object too many.
    redact: {
      paths: ['*.password', '*.apiKey', '*.connectionString', 'headers.authorization'],
      censor: '***',
    },
  })
  const { readElasticsearch } = context
  const schedules = await context.schedules()
  const service = serviceNotify({ env: process.env, log, shutdownTimeout: settings.limits.shutdownTimeout })
  const { admin } = await context.base()
  // Loaded only where it is served: it is a fifth of what a daemon keeps in memory.
  const beside =
    admin.port === null
      ? null
      : (await import('../../admin/beside.ts')).besideDaemon({ settings, admin, schedules, log })
  const observing = beside === null ? {} : { observer: beside.observer }
  const instance = new Instance({
    settings,
    schedules,
    log,
    readElasticsearch,
    ...observing,
    ...service.hooks,
  })
  log.info({ version, pid: process.pid, documents: [...settings.documents.keys()] }, 'starting')

  let signals = 0
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1
    if (signals > 1) {
      log.warn({ signal }, 'ending at once')
      instance.abort()
      process.exit(1)
    }
    log.info({ signal }, 'draining; once more to end at once')
    void instance.stop()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  try {
    instance.start()
    await beside?.serve(instance)
    await instance.finished
    return exitCodes.done
  } catch (error) {
    // Standard error says it, too; whoever collects the log sees this alone.
    log.fatal({ reason: describeError(error) }, 'cannot go on')
    throw error
  } finally {
    await instance.stop()
    await beside?.close()
    await service.close()
    process.off('SIGTERM', onSignal)
    process.off('SIGINT', onSignal)
  }
}
