import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take longest, in this order, before all others: begun last, one of them would keep a single worker busy
 * while the others have nothing left. A clean clone knows no durations, and vitest goes by the size of the files, which
 * says nothing of servers that are started and waited for. A name that is gone is harmless, one that is missing costs
 * seconds.
 */
const LONGEST: readonly string[] = [
  'blocked-index',
  'opensearch',
  'docs-runs',
  'outages-security',
  'brake',
  'optimize',
  'outages-postgres',
  'elasticsearch-9',
  'trigger-matrix',
  'cli-look',
  'outages-elasticsearch',
  'kill',
  'servers',
  'docs-documents',
  'cli-errors',
  'backfill-cli',
  'reindex',
  'doctor',
  'install',
  'backfill',
  'reindex-crash',
  'instances',
  'elasticsearch-security',
  'reindex-cli',
  'reindex-changed',
  'verify-cli',
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
