import type { z } from 'zod'
import { runProgress } from '../runs/progress.ts'
import type { Run } from '../runs/types.ts'
import type { runJson } from './json/run.ts'

/** A run as users see it: without what only its execution needs. */
export function runToJson(run: Run, waitsFor: string | null = null): z.input<typeof runJson> {
  const { cursor: _cursor, origin: _origin, truncated: _truncated, ...shown } = run
  const result = run.result === null ? null : { ...run.result }
  return { ...shown, waitsFor, options: { ...run.options }, totalIsExact: runProgress(run).exact, result }
}
