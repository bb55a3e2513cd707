/** Where commands of the documents are run that are no step of test/support/documented/steps.ts, and which are not run. */

/** Lines that test/integration/docs-runs.test.ts runs of its pages. */
export const RUN_HERE = /^sluice (?!run\b)/

interface Followed {
  /** It reads the blocks of the page and runs them. */
  readonly test: string
  readonly languages: readonly ('sh' | 'sql')[]
  /** Of the lines for a shell, these alone. */
  readonly only?: RegExp
  /** Spans in sentences, too. */
  readonly spans?: RegExp
}

const operators: Followed = {
  test: 'test/integration/docs-runs.test.ts',
  languages: ['sh', 'sql'],
  only: RUN_HERE,
}
const pgsync = 'test/integration/docs-from-pgsync.test.ts'
const guides: Followed = {
  test: 'test/full/docs-guides.test.ts',
  languages: ['sh', 'sql'],
  spans: /^sluice (reindex product|backfill product --tenant globex)$/,
}
const deployed: Followed = { test: 'test/unit/docs-deploy.test.ts', languages: ['sh'] }

/** Pages whose blocks a test runs from top to bottom. */
export const followed: Readonly<Record<string, Followed>> = {
  'docs/deploy/docker.md': deployed,
  'docs/deploy/kubernetes.md': deployed,
  'docs/deploy/pm2.md': deployed,
  'docs/deploy/systemd.md': deployed,
  'docs/documents.md': {
    test: 'test/integration/docs-documents.test.ts',
    languages: ['sql'],
    spans: /^sluice preview \w+ \S+$/,
  },
  'docs/from-pgsync.md': { test: pgsync, languages: ['sh', 'sql'] },
  'docs/migrations-of-your-application.md': {
    test: 'test/integration/docs-migrations.test.ts',
    languages: ['sh', 'sql'],
  },
  'docs/relations.md': guides,
  'docs/tenants.md': guides,
  'docs/read-your-writes.md': { test: 'test/integration/docs-library.test.ts', languages: ['sql'] },
  'docs/reindex.md': operators,
  'docs/runs.md': operators,
  'docs/schedules.md': operators,
  'docs/verify.md': operators,
}

/** The six of the first sync, which are one script. */
const firstSync = 'test/full/docs-first-sync.test.ts'

const demo = 'test/integration/demo.test.ts'

/** Commands that a test runs by itself. */
export const runBy: Readonly<Record<string, string>> = {
  'npm i ./sluice-0.1.0.tgz': firstSync,
  'export DATABASE_URL=postgres://me:secret@localhost:5432/shop ELASTICSEARCH_URL=http://localhost:9200':
    firstSync,
  'npx sluice run &': firstSync,
  'curl "$ELASTICSEARCH_URL/product/_search?q=*"': firstSync,
  'npm pack': firstSync,
  'curl -X PUT "$ELASTICSEARCH_URL/cities/_settings" -H \'Content-Type: application/json\' -d \'{"index.blocks.write": null}\'':
    'test/full/docs-troubleshooting.test.ts',
  'ADMIN_HOST=0.0.0.0 ADMIN_HOSTS=search-1,search-2 ADMIN_TOKEN="$(cat /etc/sluice/admin-token)" sluice run':
    'test/integration/metrics-scrape.test.ts',
  'npm ci': 'test/full/deploy-tarball.test.ts',
  'npx sluice demo': demo,
  'sluice demo': demo,
  'sluice demo --keep': demo,
  'sluice demo --json | jq .changes': demo,
  'sluice preview pets 7': pgsync,
  'sluice verify pets --deep': pgsync,
}

/** A name of something, not a line to type: it lacks what it would be about. */
const name = 'the name of a command or statement, without what it takes'
/** test/full/docs-commands.test.ts asks each for its --help, which has to know what is named. */
const long = 'a measurement or a crash test of minutes to hours; its figures are beside it'
const suite = 'it is what runs the tests'
const published = 'of a package registry; not published yet'

/** What no test runs, and why. */
export const exceptions: Readonly<Record<string, string>> = {
  'npm ci && npm run demo': 'fetches Elasticsearch, and stays up; run by hand before a release',
  'npm run example:shop': 'stays up; examples/shop/shop.test.ts has the same app and its search',
  'npm ci && npm test': suite,
  'npm test': suite,
  'npx vitest run --project full test/full/deploy-checks.test.ts': suite,
  'npx vitest run --project full test/full/pm2.test.ts': suite,
  'npx vitest run --project full test/full/deploy-tarball.test.ts': suite,
  'npx vitest run --project full test/full/docs-first-sync.test.ts --reporter=verbose': suite,
  'npm run coverage': suite,
  'npm run test:full': suite,
  'npm run matrix': 'thirteen times the suite, hours; what came out of which cell is beside it',
  'npm run mutation': 'hours; its figures are beside it',
  'npm run mutation -- --mutate src/sync/outcomes.ts': 'minutes of all cores',
  "npm run mutation -- --incremental --mutate 'src/sync/*.ts'": 'half an hour of all cores',
  'npm run mutation -- --incremental': 'adds up what the parts found, which took hours',
  'npm run screenshots': 'makes pictures of the dashboard, which test/browser looks at',
  'export DATABASE_URL=postgres://app@localhost/shop ELASTICSEARCH_URL=http://localhost:9200':
    'sets two variables, which every step has',
  'npx sluice run': 'the daemon of every step, started with two settings more',
  'npm i ./sluice-0.2.0.tgz': 'there is no such release yet; test/full/package.test.ts installs this one',
  'npm audit --omit=dev': published,
  'npm audit signatures': published,
  'npm publish --provenance': published,
  'SELECT slot_name, active FROM pg_replication_slots': 'a look at a slot of PGSync, which is not here',
  'GRANT SELECT ON sluice.sync_index TO app': 'one grant more than the block above it, which is run',
  'npm run model': 'half a minute; test/unit/model.test.ts has it with smaller bounds',
  'npm run simulate': 'minutes; test/unit/simulation.test.ts has some hundred of its seeds',
  'npm run simulate -- --mutant all': 'minutes; test/full/simulation.test.ts has each mutant',
  'npm run bench': 'hours; test/full/bench-report.test.ts has it with few rows',
  'npm run bench -- <cell>': 'the form of the commands below it',
  'npm run bench -- backfill': long,
  'npm run bench -- backfill-vs-interactive': long,
  'npm run bench -- backlog': long,
  'npm run bench -- blocked-index': long,
  'npm run bench -- bulk-vs-interactive': long,
  'npm run bench -- ceiling': long,
  'npm run bench -- dashboard': long,
  'npm run bench -- drain': long,
  'npm run bench -- fan-out': long,
  'npm run bench -- held-snapshot': long,
  'npm run bench -- idle': long,
  'npm run bench -- latency': long,
  'npm run bench -- load-query': long,
  'npm run bench -- memory': long,
  'npm run bench -- nested-backfill': long,
  'npm run bench -- nested-drain': long,
  'npm run bench -- poison': long,
  'npm run bench -- queue-limits': long,
  'npm run bench -- reindex': long,
  'npm run bench -- scale': long,
  'npm run bench -- verify': long,
  'npm run bench -- verify-memory': long,
  'npm run bench -- write-tax': long,
  'npm run chaos': long,
  'npm run chaos -- --mutants': long,
  'npm run chaos -- --seconds 120': long,
  'npm run chaos -- --seconds 480 --seed 133': long,
  'npm run chaos -- --seconds 300 --seed 134': long,
  'npm run chaos -- --seconds 1800 --seed 163': long,
  'npm run chaos -- --transactions 100000 --seed 121': long,
  'npm run chaos -- --transactions 100000 --seed 131': long,
  'npm run chaos -- --transactions 100000 --seed 132': long,
  'npm run chaos -- --transactions 200000': long,
  'npm run chaos -- --transactions 200000 --seed 135': long,
  'npm run drill -- adopt': long,
  'npm run drill -- all': long,
  'npm run outage': long,
  'npm run outage -- --minutes 10': long,
  'npm run proof -- --short': long,
  'npm run proof -- clock': long,
  'npm run proof -- load --minutes 120': long,
  'npm run proof -- lost-answers': long,
  'npm run proof -- refused': long,
  'npm run proof -- restarts': long,
  'npm run proof -- sigterm': long,
  'npm run soak': long,
  'npm run soak -- --minutes 30': long,
  'npm run soak -- --minutes 30 --seed 31': long,
  'npm run soak -- --minutes 30 --seed 41': long,
  'npm run soak -- --minutes 30 --seed 51': long,
  'npm run soak -- --minutes 30 --seed 52': long,
  'ALTER SYSTEM SET': name,
  'CREATE INDEX CONCURRENTLY': name,
  'REVOKE CREATE ON SCHEMA': name,
  'curl -X DELETE': name,
  'npm i': name,
  'sluice backfill': name,
  'sluice backfill --where': name,
  'sluice check --migration': name,
  'sluice enqueue': name,
  'sluice preview': name,
  'sluice reindex': name,
  'sluice resume': name,
  'sluice resume --deletes': name,
  'sluice runs cancel': name,
  'sluice runs watch n': name,
}
