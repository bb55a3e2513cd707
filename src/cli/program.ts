import { Command } from 'commander'
import { version } from '../version.ts'
import { registerBackfill } from './commands/backfill.ts'
import { registerCheck } from './commands/check.ts'
import { registerCleanup } from './commands/cleanup.ts'
import { registerDetach } from './commands/detach.ts'
import { registerEnqueue } from './commands/enqueue.ts'
import { registerFailed } from './commands/failed.ts'
import { registerInit } from './commands/init.ts'
import { registerInspect } from './commands/inspect.ts'
import { registerInstall } from './commands/install.ts'
import { registerMigrate } from './commands/migrate.ts'
import { registerPause } from './commands/pause.ts'
import { registerPreview } from './commands/preview.ts'
import { registerResume } from './commands/resume.ts'
import { registerRun } from './commands/run.ts'
import { registerRuns } from './commands/runs.ts'
import { registerStatus } from './commands/status.ts'
import { registerUninstall } from './commands/uninstall.ts'

const afterword = `
Start here:
  sluice init       propose a configuration from your database
  sluice install    put it into effect
  sluice run        keep Elasticsearch true to Postgres from now on

Settings: flags beat environment variables, those beat .env, and that beats the configuration.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 differences, 4 a server is not reachable.
With --json, standard output is one JSON document; of a command that failed it is {"error": {…}}.`

/**
 * The whole command line. Nothing of it runs or prints until it is parsed. With `json`, commander prints no errors:
 * they come as exceptions too, and dispatch.ts prints a document.
 */
export function createProgram({ json }: { readonly json: boolean }): Command {
  const program = new Command('sluice')
    .description('Keeps Elasticsearch true to Postgres.')
    .version(version)
    // All of these go with every command, before its name or after it; GlobalOptions in context.ts has their types.
    .option('--config <file>', 'configuration file (default: the sluice.config.* in this folder)')
    .option(
      '--database-url <url>',
      'DATABASE_URL; other users of this machine can see flags, so no passwords',
    )
    .option('--elasticsearch-url <url>', 'ELASTICSEARCH_URL')
    .option('--schema <name>', 'SLUICE_SCHEMA')
    .option('--log-level <level>', 'LOG_LEVEL')
    .option('--json', 'print one JSON document')
    .option('-q, --quiet', 'say nothing on the way')
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .addHelpText('after', afterword)
    // dispatch.ts ends the process, once, with a code of ours. Inherited by the commands, so it comes before them.
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        if (!json) write(text)
      },
    })
  // In the order of the help: from setting up to looking into it.
  registerInit(program)
  registerMigrate(program)
  registerInstall(program)
  registerCheck(program)
  registerUninstall(program)
  registerDetach(program)
  registerRun(program)
  registerStatus(program)
  registerBackfill(program)
  registerRuns(program)
  registerFailed(program)
  registerEnqueue(program)
  registerPreview(program)
  registerInspect(program)
  registerPause(program)
  registerResume(program)
  registerCleanup(program)
  return program
}
