import { quoteTable } from '../catalog/quote.ts'
import type { DocumentPlan, SourcePlan } from '../documents/types.ts'
import {
  type CaptureFunction,
  changedFunction,
  keyFunction,
  linkFunction,
  triggerFunction,
} from './capture-functions.ts'
import { type CaptureTrigger, trigger } from './capture-triggers.ts'
import type { MarkTarget } from './function-bodies.ts'
import { type CaptureEvent, captureNames } from './names.ts'
import { relatedRowBodies, relatedStatementBodies } from './related-bodies.ts'
import { rootRowBodies, rootStatementBodies } from './root-bodies.ts'
import type { RowFunctions } from './row-functions.ts'

/** All that is created for one watched table. */
export interface CaptureStatements {
  /** In the order of creation. */
  readonly functions: readonly CaptureFunction[]
  readonly triggers: readonly CaptureTrigger[]
}

/** SQL text of the functions and triggers that write the marks of one watched table. Pure. */
export function captureStatements(plan: DocumentPlan, source: SourcePlan, schema: string): CaptureStatements {
  const names = captureNames(schema, plan.document, source.source)
  const target: MarkTarget = { schema, document: plan.document, source: source.source }
  const isRoot = source.source === ''
  // Old and new rows of the root table are paired by the key itself.
  const paired = !isRoot && source.compare && source.rowKey.length > 0
  const functions: CaptureFunction[] = [
    isRoot
      ? keyFunction(target, names.key, source.table, source.key)
      : linkFunction(target, names.key, source.table, source.key),
    ...(paired ? [keyFunction(target, names.row, source.table, source.rowKey)] : []),
    ...(source.compare ? [changedFunction(target, names.changed, source.table, source.usedColumns)] : []),
  ]
  const call = (name: string, args: string) => `${quoteTable({ schema, name })}(${args})`
  const rows: RowFunctions = {
    key: (row) => call(names.key, row),
    row: paired ? (row) => call(names.row, row) : null,
    changed: source.compare ? (before, after) => call(names.changed, `${before}, ${after}`) : null,
  }
  const bodies = bodiesOf(isRoot, source.capture)(target, rows)
  const triggers = [
    ...EVENTS.map((event) => trigger(schema, names, event, source.table, source)),
    // TRUNCATE of a leaf does not fire the trigger of its parent.
    ...source.leaves.map((leaf) =>
      trigger(schema, names, 'truncate', leaf, { capture: 'statement', always: source.always }),
    ),
  ]
  return {
    functions: [
      ...functions,
      ...EVENTS.map((event) => triggerFunction(target, names.function(event), bodies[event])),
    ],
    triggers,
  }
}

function bodiesOf(isRoot: boolean, capture: SourcePlan['capture']) {
  if (isRoot) return capture === 'statement' ? rootStatementBodies : rootRowBodies
  return capture === 'statement' ? relatedStatementBodies : relatedRowBodies
}

const EVENTS = ['insert', 'update', 'delete', 'truncate'] as const satisfies readonly CaptureEvent[]
