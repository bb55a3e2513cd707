import type { Command } from 'commander'
import { migrate as applyMigrations } from '../../postgres/migrate.ts'
import { action, examples } from '../command.ts'
import { type CommandContext, postgresUrl } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { migrateJson } from '../json/migrate.ts'

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description("Create or update sluice's own schema; install does it too")
    .addHelpText(
      'after',
      examples(
        ['sluice migrate', 'bring the schema up to date; safe to run anywhere, any number of times'],
        ['DATABASE_URL=postgres://owner@db/shop sluice migrate', 'as a role that may create a schema'],
      ),
    )
    .action(action(migrate))
}

/** Needs a direct connection: through PgBouncer in transaction mode its session lock would be nobody's. */
async function migrate(context: CommandContext): Promise<ExitCode> {
  const { schema } = await context.base()
  const applied = await applyMigrations(await postgresUrl(context.base()), schema)
  context.output.result(migrateJson, { schema, applied: [...applied] }, () =>
    applied.length === 0
      ? `Schema ${schema} is up to date.`
      : `Applied to schema ${schema}: ${applied.join(', ')}`,
  )
  return exitCodes.done
}
