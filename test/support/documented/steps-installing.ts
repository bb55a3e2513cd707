import { type Chapter, config, settled, TABLES, triggers } from './world.ts'

/** From a proposed configuration to a daemon that follows. */
export const installing: readonly Chapter[] = [
  {
    title: 'a configuration is proposed',
    steps: [
      {
        run: 'sluice init',
        in: 'first',
        before: async ({ sql }) => {
          await sql(TABLES)
        },
        says: /^Wrote sluice\.config\.ts: 6 documents\./,
      },
      {
        run: 'sluice init --database-url postgres://me@db/shop --stdout',
        in: 'first',
        says: /\n {4}city: \{\n/,
      },
      { run: 'npx sluice init', in: 'second', says: /^Wrote sluice\.config\.ts: 6 documents\./ },
    ],
  },
  {
    title: 'the schema and the roles',
    steps: [
      {
        run: 'DATABASE_URL=postgres://owner@db/shop sluice migrate',
        in: 'first',
        says: /^Applied to schema sluice: 0001_tables/,
      },
      {
        run: 'sluice migrate --database-url postgres://user@server:5432/app',
        in: 'first',
        says: /up to date/,
      },
      { run: 'npx sluice migrate', in: 'first', says: /up to date/ },
      {
        run: 'sluice migrate --roles',
        in: 'first',
        roles: true,
        says: /^Roles: docs_\w+_daemon, docs_\w+_operator, docs_\w+_reader\./m,
      },
      {
        run: 'sluice migrate --roles --dry-run',
        in: 'first',
        roles: true,
        says: /^BEGIN;[\s\S]*^GRANT SELECT ON[\s\S]*^COMMIT;/m,
      },
      { run: 'sluice migrate --roles --dry-run > roles.sql', in: 'first', roles: true },
      {
        run: 'GRANT sluice_daemon TO shop_search',
        sql: true,
        roles: true,
        before: async ({ sql, role }) => {
          await sql(`CREATE ROLE ${role('shop_search')}`)
        },
      },
      { run: 'ALTER ROLE shop_search BYPASSRLS', sql: true, roles: true },
      { run: 'GRANT pg_read_all_stats TO sluice_daemon', sql: true, roles: true },
      { run: 'REVOKE CREATE ON SCHEMA public FROM PUBLIC', sql: true },
    ],
  },
  {
    title: 'install, and the daemon',
    steps: [
      {
        run: 'sluice install --dry-run',
        before: (world) => world.write('sluice.config.json', config(world)),
        says: /^city\n {2}\+ index .*\n {2}→ backfill of city$/ms,
        after: async (world) => {
          if ((await triggers(world)) > 0) throw new Error('a dry run has installed triggers')
        },
      },
      {
        run: 'sluice install --no-backfill',
        says: /^Installed: city, country, /m,
        after: async ({ sql }) => {
          if ((await sql('SELECT FROM sluice.sync_run')).length > 0)
            throw new Error('a backfill was requested')
        },
      },
      { run: 'npx sluice install', says: /^Nothing to do: / },
      { run: 'CONCURRENCY=4 LOG_LEVEL=debug sluice run', goesOn: true, says: /document is worked on/ },
      { run: 'kill -TERM <pid>', ends: true },
      {
        run: 'ALERT_WEBHOOK=https://hooks.example.com/services/T00/B00/secret sluice run',
        goesOn: true,
        says: /http:\/\/127/,
      },
      { run: 'sluice backfill --all --no-wait', says: /^city: run \d+, 3,000 rows$/m, after: settled },
      { run: 'npx sluice status', says: /^city +active +0 /m },
      { run: 'sluice status --watch', interrupt: /city/ },
      { run: "sluice status --json | jq '.documents[] | {name, pendingKeys, dead}'", says: /"name": "city"/ },
      { run: 'sluice status --json', says: /"oldestPendingMs"/ },
      { run: 'SELECT * FROM sluice.sync_stats', sql: true, says: /"document":"city"/ },
      { run: 'SELECT * FROM sluice.sync_alerts', sql: true },
      { run: 'sluice --help', says: /Usage: sluice/ },
    ],
  },
]
