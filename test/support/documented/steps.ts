import { eventually } from '../eventually.ts'
import {
  alive,
  brake,
  type Chapter,
  config,
  dead,
  noParked,
  refused,
  settled,
  TABLES,
  triggers,
} from './world.ts'

/**
 * Commands of the documents in an order that makes sense, with what has to come. `run` is the text as the documents have
 * it; where one of them is changed there, it has to be changed here: test/unit/docs-commands.test.ts compares.
 */

export const chapters: readonly Chapter[] = [
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
  {
    title: 'looking at documents',
    steps: [
      { run: 'sluice preview city 42', says: /"name": "city 42"/ },
      { run: 'sluice preview city 42 --json | jq .document', says: /"name": "city 42"/ },
      { run: 'npx sluice preview product 1', says: /"name": "Kettle"/ },
      { run: 'sluice inspect city 42', says: /They agree\./ },
      { run: 'sluice inspect city 42 --json | jq .why', says: /^\[\]$/m },
      { run: 'sluice inspect city 3', says: /They agree\./ },
      { run: 'sluice enqueue city 42', says: /^Marked 1 key of city\./ },
      { run: 'sluice enqueue translation 42:de 42:fr', says: /^Marked 2 keys of translation\./ },
      { run: 'sluice enqueue city -- -1', says: /^Marked 1 key of city\./, after: settled },
      { run: 'sluice probe', says: /^acknowledged .*^searchable .*^It arrived in /ms },
      { run: 'sluice probe city --id 42 --touch', says: /^acknowledged .*^searchable .*^It arrived in /ms },
      { run: 'sluice probe city --timeout 5 --json | jq .why', says: /^\[\]$/m },
      {
        run: 'sluice doctor',
        code: 3,
        says: /document_paused[\s\S]*sluice resume country/,
        before: async ({ sql }) => {
          await sql("SELECT sluice.pause('country')")
        },
      },
      {
        run: "sluice doctor --json | jq -r '.findings[].remedy'",
        says: /^sluice resume country$/m,
        after: async ({ sql }) => {
          await sql("SELECT sluice.resume('country')")
        },
      },
    ],
  },
  {
    title: 'failures',
    steps: [
      { run: 'sluice failed', before: dead, says: /infinity/ },
      { run: 'sluice failed list', says: /unindexable_value/ },
      { run: 'sluice failed list city --state dead', says: /42/ },
      { run: 'sluice failed list city --state dead --limit 100', says: /42/ },
      { run: "sluice failed list --json | jq '.groups[] | {document, type, dead}'", says: /"dead": 2/ },
      { run: 'sluice failed show city 42', says: /infinity/ },
      { run: 'SELECT * FROM sluice.sync_failures', sql: true, says: /unindexable_value/ },
      { run: 'sluice failed retry city --id 42 43', says: /Marked 2 documents again/, after: settled },
      {
        run: "SELECT sluice.retry_failed('city', '42')",
        sql: true,
        says: /"retry_failed":"1"/,
        after: settled,
      },
      { run: 'sluice failed retry city', says: /Marked 2 documents again/, after: settled },
      {
        run: 'sluice failed retry --all --type document_parsing_exception',
        before: refused,
        says: /Marked 1 document again/,
        after: settled,
      },
      {
        run: 'sluice failed discard city --type unindexable_value',
        before: dead,
        answers: 'no',
        code: 1,
        says: /Forget 2 dead letters of city\?.*Nothing was changed/s,
      },
      { run: 'sluice failed discard city --id 42', answers: 'yes', says: /Forgot 1 document/ },
      {
        run: 'sluice failed discard city --type unindexable_value --yes',
        before: dead,
        says: /Forgot 2 documents/,
      },
      { run: 'sluice failed discard --all --yes', before: dead, says: /Forgot 3 documents/ },
      {
        run: "SELECT sluice.discard_failed('city', '42')",
        before: dead,
        sql: true,
        says: /"discard_failed":"1"/,
        after: alive,
      },
    ],
  },
  {
    title: 'a document pauses, and goes on',
    steps: [
      { run: 'sluice pause city', says: /^city is paused\./ },
      { run: 'sluice resume city', says: /^city goes on\./ },
      {
        run: 'sluice pause city --reason "mapping under repair"',
        says: /^city is paused\./,
        after: async ({ sql }) => {
          const [{ reason } = {}] = await sql("SELECT reason FROM sluice.sync_document WHERE name = 'city'")
          if (reason !== 'mapping under repair') throw new Error(`the reason is ${reason}`)
        },
      },
      { run: "SELECT sluice.resume('city')", sql: true, after: settled },
      { run: 'sluice detach city', says: /^city is detached: 4 triggers dropped\./ },
      { run: 'sluice install', says: /^Requested: verify of city /m, after: settled },
      { run: `psql -c "SELECT sluice.detach('city')"`, says: /^ +4$/m },
      { run: 'sluice install', says: /^Requested: verify of city /m, after: settled },
      { run: "SELECT sluice.detach('city')", sql: true, says: /"detach":4/ },
      { run: 'sluice install', says: /^Requested: verify of city /m, after: settled },
      { run: "SELECT sluice.shed('city')", sql: true, says: /"shed":/, after: settled },
      { run: 'ALTER TABLE city ENABLE ALWAYS TRIGGER sluice_city_insert', sql: true },
    ],
  },
  {
    title: 'the mass-delete brake',
    steps: [
      {
        run: 'sluice preview city 1001',
        before: brake,
        says: /there is no document: the condition \("where"\) leaves its row out/,
      },
      { run: 'sluice inspect city 1001', says: /no document: the condition \("where"\) leaves its row out/ },
      { run: 'sluice enqueue city 1001', says: /^Marked 1 key of city\./ },
      { run: 'sluice resume city --deletes', says: /^city goes on/, after: noParked },
      { run: "SELECT sluice.resume('city', deletes => true)", sql: true, says: /"resume":/ },
    ],
  },
  {
    title: 'long runs',
    steps: [
      { run: 'sluice backfill city --tenant 42', says: /run \d+: backfill of city is done: 60 keys/ },
      { run: 'sluice backfill city --where "expires_at < now()"', says: /backfill of city is done: 0 keys/ },
      { run: 'sluice runs list --active', says: /^(no runs|run \d+: )/m },
      { run: 'sluice runs show 12', says: /^run \d+: backfill of city is done[\s\S]*^options: /m },
      { run: 'sluice verify city', says: /verify of city is done .*; no differences/ },
      { run: 'sluice verify city --sample 1000 --deep', says: /verify of city is done .*; no differences/ },
      { run: 'sluice verify city --deep --repair', says: /verify of city is done .*; no differences/ },
      { run: 'sluice verify --deep --repair', says: /verify of city is done .*; no differences/ },
      { run: 'sluice verify city --repair --deletes', says: /verify of city is done .*; no differences/ },
      {
        run: 'npx sluice verify product --deep',
        says: /verify of product is done .*: 1 row, 1 document; no differences/,
      },
      {
        run: 'sluice reindex city --keep 0',
        says: /reindex of city is done[\s\S]*^What was before is dropped\.$/m,
        after: settled,
      },
      {
        run: 'sluice reindex article',
        says: /^What was before is kept, and written to, until .*: sluice reindex article --rollback goes back\.$/m,
        after: settled,
      },
      {
        run: `INSERT INTO sluice.sync_run (kind, document, options) VALUES ('verify', 'article', '{"repair":"rewrite"}');`,
        sql: true,
        after: settled,
      },
      {
        run: "SELECT id, document, state, reason FROM sluice.sync_run WHERE kind = 'verify' AND reason IS NOT NULL ORDER BY id DESC;",
        sql: true,
        says: /"state":"done"/,
      },
      { run: 'sluice cleanup', says: /^(Nothing is old enough\.|Removed: 1 of indices\.)$/m },
      { run: 'sluice cleanup --days 1', says: /^(Nothing is old enough\.|Removed: 1 of indices\.)$/m },
    ],
  },
  {
    title: 'HTTP',
    steps: [
      { run: 'curl -s localhost:9187/health', says: /"status":"(healthy|degraded)"/ },
      {
        run: 'curl -s localhost:9187/api/failures?state=dead',
        before: dead,
        says: /"groups":\[\{"document":"city","type":"unindexable_value"/,
      },
      {
        run: `curl -s -X POST localhost:9187/api/documents/city/backfill -H "Authorization: Bearer $ADMIN_TOKEN" -H 'Content-Type: application/json' -d '{"since": "2 hours", "column": "updated_at"}'`,
        says: /"run":\{"id":"\d+"/,
        after: settled,
      },
      {
        run: `curl -X POST localhost:9187/api/indices/cities/recreate -H "Authorization: Bearer $ADMIN_TOKEN" -H 'Content-Type: application/json' -d '{"confirm":"DELETE_ALL_DATA"}'`,
        says: /"run":\{"id":"\d+"/,
        after: settled,
      },
      {
        run: 'SELECT at, who, address, action, subject, asked, status, outcome FROM sluice.sync_audit ORDER BY id DESC LIMIT 20;',
        sql: true,
        says: /"action":"POST \/api\/indices\/:index\/recreate".*"outcome":"done"/,
        after: async ({ posted }) => {
          await eventually(() => posted().some((body) => body.includes('dead_letters')), { describe: posted })
        },
      },
    ],
  },
  {
    title: 'migrations of the application',
    steps: [
      {
        run: 'sluice check --migration db/42.sql',
        before: (world) => world.write('db/42.sql', 'ALTER TABLE city DROP COLUMN name;'),
        code: 3,
        says: /^breaks {2}city/m,
      },
      { run: 'sluice check --migration db/*.sql --json', code: 3, says: /"effect": "breaks"/ },
      { run: 'sluice check', says: /^Everything is as the configuration has it\.$/m },
    ],
  },
  {
    title: 'an index that has the name of the alias, and the end',
    steps: [
      {
        run: 'sluice reindex cities --adopt',
        before: async (world) => {
          await world.search('PUT', `/${world.index('towns')}`, {})
          await world.write(
            'sluice.config.json',
            config(world, { cities: { table: 'country', index: world.index('towns') } }),
          )
        },
        says: /^What was before is dropped\.$/m,
      },
      { run: 'sluice uninstall city --yes', says: /^Uninstalled\.$/m },
      {
        run: 'npx sluice reindex city --adopt',
        before: async (world) => {
          await world.search('PUT', `/${world.index('cities')}`, {})
          await world.write('sluice.config.json', config(world))
        },
        says: /^What was before is dropped\.$/m,
      },
      { run: 'sluice uninstall city', answers: 'no', code: 1, says: /Nothing was changed/ },
      { run: 'kill -TERM <pid>', ends: true },
      { run: 'sluice uninstall', answers: 'yes', says: /^Uninstalled\.\r?$/m },
      { run: 'sluice install', says: /^Installed: /m },
      { run: 'npx sluice uninstall', answers: 'yes', says: /^Uninstalled\.\r?$/m },
      { run: 'sluice install', says: /^Installed: /m },
      { run: 'sluice uninstall --keep-indices', answers: 'yes', says: /and its template stay/ },
    ],
  },
  {
    title: 'in this repository',
    steps: [
      { run: 'npm run bench -- --help', in: 'repository', says: /^Cells:$/m },
      { run: 'npm run drill -- --help', in: 'repository', says: /^ {2}failover /m },
      { run: 'npm run model -- --help', in: 'repository', says: /^ {2}version-after-load /m },
      {
        run: 'npm run model -- --variant version-after-load',
        in: 'repository',
        says: /no mark is left, the rows say root c, child a, and index old has root b, child a/,
      },
      { run: 'npm run simulate -- --seed 7', in: 'repository', says: /nothing lost\n {2}seed 7: \d+ steps/ },
    ],
  },
]
