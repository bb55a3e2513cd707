import { backfill, nestedBackfill } from './backfill.ts'
import { backfillVsInteractive } from './backfill-vs-interactive.ts'
import { backlog } from './backlog.ts'
import { blockedIndex } from './blocked-index.ts'
import { bulkVsInteractive } from './bulk-vs-interactive.ts'
import { ceiling } from './ceiling.ts'
import type { Cell } from './cell.ts'
import { dashboard } from './dashboard.ts'
import { drain, nestedDrain } from './drain.ts'
import { fanOut } from './fan-out.ts'
import { heldSnapshot } from './held-snapshot.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { loadQuery } from './load-query.ts'
import { memoryCell } from './memory.ts'
import { poison } from './poison.ts'
import { queueLimits } from './queue-limits.ts'
import { reindex } from './reindex.ts'
import { scale } from './scale.ts'
import { verify } from './verify.ts'
import { verifyMemory } from './verify-memory.ts'
import { writeTax } from './write-tax.ts'

/** All that can be measured, in the order of the report. */
export const cells: readonly Cell[] = [
  ceiling,
  backfill,
  drain,
  nestedBackfill,
  nestedDrain,
  scale,
  heldSnapshot,
  loadQuery,
  latency,
  writeTax,
  bulkVsInteractive,
  backfillVsInteractive,
  fanOut,
  backlog,
  blockedIndex,
  queueLimits,
  memoryCell,
  idle,
  dashboard,
  poison,
  verify,
  verifyMemory,
  reindex,
]
