import { alive, brake, type Chapter, dead, noParked, refused, settled } from './world.ts'

/** What an operator does to documents: looks at them, retries or forgets failures, pauses, lets deletes pass. */
export const operating: readonly Chapter[] = [
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
]
