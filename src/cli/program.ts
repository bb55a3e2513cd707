import { Command } from 'commander'
import { version } from '../version.ts'

/**
 * The commands in the order of the help, from setting up to looking into it. A command's file is loaded when it is
 * called, and all are for the help: what `sluice run` does not need is not in its memory.
 */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  init: async () => (await import('./commands/init.ts')).registerInit,
  migrate: async () => (await import('./commands/migrate.ts')).registerMigrate,
  install: async () => (await import('./commands/install.ts')).registerInstall,
  check: async () => (await import('./commands/check.ts')).registerCheck,
  uninstall: async () => (await import('./commands/uninstall.ts')).registerUninstall,
  detach: async () => (await import('./commands/detach.ts')).registerDetach,
  run: async () => (await import('./commands/run.ts')).registerRun,
  doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
  probe: async () => (await import('./commands/probe.ts')).registerProbe,
  status: async () => (await import('./commands/status.ts')).registerStatus,
  backfill: async () => (await import('./commands/backfill.ts')).registerBackfill,
  verify: async () => (await import('./commands/verify.ts')).registerVerify,
  reindex: async () => (await import('./commands/reindex.ts')).registerReindex,
  optimize: async () => (await import('./commands/optimize.ts')).registerOptimize,
  runs: async () => (await import('./commands/runs.ts')).registerRuns,
  failed: async () => (await import('./commands/failed.ts')).registerFailed,
  enqueue: async () => (await import('./commands/enqueue.ts')).registerEnqueue,
  preview: async () => (await import('./commands/preview.ts')).registerPreview,
  inspect: async () => (await import('./commands/inspect.ts')).registerInspect,
  pause: async () => (await import('./commands/pause.ts')).registerPause,
  resume: async () => (await import('./commands/resume.ts')).registerResume,
  cleanup: async () => (await import('./commands/cleanup.ts')).registerCleanup,
  demo: async () => (await import('./commands/demo.ts')).registerDemo,
}

const afterword = `
Start here:
  sluice init       propose a configuration from your database
  sluice install    put it into effect
  sluice run        keep Elasticsearch true to Postgres from now on
Or look first:
  sluice demo       see all of that on your own servers, in a place of its own

Settings: flags beat environment variables, those beat .env, and that beats the configuration.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 differences, 4 a server is not reachable.
With --json, standard output is one JSON document; of a command that failed it is {"error": {…}}.`

interface ProgramOptions {
  /** Commander prints no errors: they come as exceptions too, and dispatch.ts prints a document. */
  readonly json: boolean
  /** The command line that will be parsed: only the command that it calls is loaded. Default: every command. */
  readonly args?: readonly string[]
}

/** The command line. Nothing of it runs until it is parsed, nor prints, except for --version in `args`. */
export async function createProgram({ json, args = [] }: ProgramOptions): Promise<Command> {
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
  const [called = ''] = program.parseOptions([...args]).operands
  const load = Object.hasOwn(commands, called) ? commands[called] : undefined
  for (const one of load === undefined ? Object.values(commands) : [load]) {
    const register = await one()
    register(program)
  }
  return program
}
