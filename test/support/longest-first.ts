import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take longest, in this order, before all others: begun last, one of them would keep a single worker busy
 * while the others have nothing left. A clean clone knows no durations, and vitest goes by the size of the files, which
 * says nothing of servers that are started and waited for. A name that is gone is harmless, one that is missing costs
 * seconds.
 */
const LONGEST: readonly string[] = [
  'doctor',
  'cli-look',
  'trigger-matrix',
  'outages-postgres',
  'blocked-index',
  'backfill-cli',
  'kill',
  'install',
  'brake',
  'doctor-by-hand',
  'reindex-cli',
  'opensearch',
  'outages-security',
  'docs-documents',
  'docs-runs',
  'values-elasticsearch',
  'elasticsearch-9',
  'cli-inspect',
  'backfill-daemons',
  'outages-elasticsearch',
  'servers',
  'verify-cli',
  'cli-errors',
  'elasticsearch-security',
  'roles',
  'roles-daemon',
  'roles-operator-reader',
  'dashboard',
  'upgrades',
  'daemon',
  'daemon-obstacles',
  'addresses',
  'reindex-crash',
  'instances',
  'reindex-tenants',
  'optimize',
  'reindex',
  'verify-compare',
  'reindex-changed',
  'verify-census',
  'sql-documents-daemon',
  'sync-batch',
  'tenants',
  'tenant-indices',
  'init-sample',
  'shop',
  'config-load',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted
      .map((file) => ({ file, rank: rankOf(file.moduleId) }))
      .sort((one, other) => one.rank - other.rank)
      .map(({ file }) => file)
  }
}

function rankOf(path: string): number {
  const rank = LONGEST.findIndex((name) => path.endsWith(`/${name}.test.ts`))
  return rank === -1 ? LONGEST.length : rank
}
