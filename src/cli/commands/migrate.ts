import type { Command } from 'commander'
import { migrateJson } from '../../answers/json/migrate.ts'
import { UsageError } from '../../errors.ts'
import { migrate as applyMigrations } from '../../postgres/migrate.ts'
import { applyRoles, type Roles, rolesOf, rolesSql } from '../../postgres/roles.ts'
import { action, examples } from '../command.ts'
import { type CommandContext, postgresUrl } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'

interface Options {
  readonly roles?: true
  readonly dryRun?: true
}

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description("Create or update sluice's own schema; install does it too")
    .option('--roles', 'and roles with the least grants, for daemon, operator and reader (docs/security.md)')
    .option('--dry-run', 'with --roles: print their SQL, and change nothing')
    .addHelpText(
      'after',
      examples(
        ['sluice migrate', 'bring the schema up to date; safe to run anywhere, any number of times'],
        ['DATABASE_URL=postgres://owner@db/shop sluice migrate', 'as a role that may create a schema'],
        ['sluice migrate --roles', 'and make sluice_daemon, sluice_operator and sluice_reader'],
        ['sluice migrate --roles --dry-run > roles.sql', 'for an administrator to read and run'],
      ),
    )
    .action(action(migrate))
}

/** Needs a direct connection: through PgBouncer in transaction mode its session lock would be nobody's. */
async function migrate(context: CommandContext, options: Options): Promise<ExitCode> {
  const { schema } = await context.base()
  if (options.dryRun) return printRoles(context, schema, options)
  const roles = options.roles ? rolesOf(schema) : null
  const url = await postgresUrl(context.base())
  const applied = await applyMigrations(url, schema)
  const missing = roles === null ? [] : await applyRoles(url, schema)
  context.output.result(
    migrateJson,
    {
      schema,
      applied: [...applied],
      roles: roles === null ? null : { ...roles, sql: null, missing: [...missing] },
    },
    () =>
      [
        applied.length === 0
          ? `Schema ${schema} is up to date.`
          : `Applied to schema ${schema}: ${applied.join(', ')}`,
        ...(roles === null ? [] : rolesText(roles)),
      ].join('\n'),
  )
  if (missing.length === 0) return exitCodes.done
  context.output.warn(
    `the daemon's role may not read all that the documents are made of; let the owners run:\n${missing.map((sql) => `  ${sql};`).join('\n')}`,
  )
  return exitCodes.differences
}

function rolesText({ daemon, operator, reader }: Roles): readonly string[] {
  return [
    `Roles: ${daemon}, ${operator}, ${reader}. They have no login: grant them to the logins of daemons and people,`,
    `for example: GRANT "${daemon}" TO … (in psql). Nobody who writes to your tables needs one.`,
  ]
}

/** The transaction and the schema's search_path are for psql to see to. */
async function printRoles(context: CommandContext, schema: string, { roles }: Options): Promise<ExitCode> {
  if (!roles) throw new UsageError('goes with --roles', { where: '--dry-run' })
  const sql = `BEGIN;\n\n${await rolesSql(schema)}\nCOMMIT;`
  context.output.result(
    migrateJson,
    { schema, applied: [], roles: { ...rolesOf(schema), sql, missing: [] } },
    () => sql,
  )
  return exitCodes.done
}
