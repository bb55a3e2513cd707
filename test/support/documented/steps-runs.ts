import { eventually } from '../eventually.ts'
import { type Chapter, dead, settled } from './world.ts'

/** Long runs, asked for in a shell, by SQL and by HTTP. */
export const runs: readonly Chapter[] = [
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
]
