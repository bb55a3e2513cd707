import { describe, expect, test } from 'vitest'
import type { Status } from '../../src/answers/read-status.ts'
import { type Planned, planFindings, structureFindings } from '../../src/cli/doctor/structure-findings.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'

const status: Status = {
  documents: [],
  alerts: [],
  notInstalled: [],
  workers: [],
  runs: [],
  failedRuns: [],
  schedules: [],
  schedulesNotInstalled: [],
  indices: [],
}
const nothing: Planned = { steps: [], plans: [], removed: [], reindexes: [], reading: [] }
const found = (plan: Partial<Planned>) => structureFindings({ ...nothing, ...plan }, [], status)

describe('what install would do or refuse', () => {
  test('nothing, where there is nothing', () => expect(found({})).toEqual([]))

  test('of a refusal, the SQL for the owner can be pasted; what else it asks for is advice', () => {
    const refused = (remedy?: string) =>
      structureFindings(nothing, [{ document: 'city', error: { message: 'no', remedy } }], status)
    expect(refused('Let its owner run: GRANT SELECT, TRIGGER ON city TO ann')).toMatchObject([
      {
        name: 'not_installable',
        severity: 'error',
        document: 'city',
        evidence: 'no',
        remedy: 'GRANT SELECT, TRIGGER ON city TO ann',
        advice: 'let the owner of the table run it',
      },
    ])
    expect(refused('Add a primary key.')).toMatchObject([{ remedy: null, advice: 'Add a primary key.' }])
    expect(refused()).toMatchObject([{ evidence: 'no', remedy: null, advice: null }])
  })

  test('a reindex, and a document that is in no configuration, with the command for it', () => {
    expect(
      found({ reindexes: [{ document: 'city', why: 'a type changed' }], removed: ['lake'] }),
    ).toMatchObject([
      {
        name: 'reindex_needed',
        severity: 'error',
        evidence: 'a type changed',
        remedy: 'sluice reindex city',
      },
      { name: 'not_configured', severity: 'error', document: 'lake', remedy: 'sluice uninstall lake' },
    ])
  })

  test('a step is an error where changes were missed, which a run would make good, or where all share it', () => {
    const change = { action: 'change', document: 'city', what: 'trigger t' } as const
    const severities = (steps: Planned['steps']) =>
      found({ steps }).map(({ severity, evidence }) => `${severity}: ${evidence}`)
    expect(severities([change])).toEqual(['warning: sluice install would change trigger t'])
    expect(severities([{ ...change, document: null }])).toEqual([
      'error: sluice install would change trigger t',
    ])
    const request = { action: 'request', document: 'city', what: 'backfill' } as const
    const other = { ...change, document: 'lake' }
    expect(severities([change, request, other])).toEqual([
      'error: sluice install would change trigger t',
      'error: sluice install would request backfill',
      'warning: sluice install would change trigger t',
    ])
  })

  test('each with the command that puts it right, and with words for all that it says', () => {
    const step = { action: 'change', document: 'city', what: 'trigger t' } as const
    const problem = { document: 'city', missing: 'rows', what: 'no', remedy: 'GRANT', advice: null } as const
    const all = [
      ...found({ steps: [step], removed: ['lake'], reading: [problem] }),
      ...found({ reindexes: [{ document: 'city', why: 'a type changed' }] }),
      ...structureFindings(nothing, [{ document: 'city', error: { message: 'no', remedy: 'Do.' } }], status),
    ]
    expect(all.map(({ name, remedy }) => [name, remedy])).toEqual([
      ['not_as_configured', 'sluice install'],
      ['not_configured', 'sluice uninstall lake'],
      ['reading_role', 'GRANT'],
      ['reindex_needed', 'sluice reindex city'],
      ['not_installable', null],
    ])
    for (const finding of all) expect(Object.values(finding)).not.toContain('')
  })

  test('whoever may not read a table is told with the SQL that lets him', () => {
    const problem = {
      document: 'city',
      missing: 'table',
      what: 'ann may not',
      remedy: 'GRANT',
      advice: 'or',
    } as const
    expect(found({ reading: [problem] })).toMatchObject([
      {
        name: 'reading_role',
        severity: 'error',
        document: 'city',
        evidence: 'ann may not',
        remedy: 'GRANT',
        advice: 'or',
      },
    ])
  })
})

test('a missing index is told once, with its SQL; other warnings of the plan beside it', () => {
  const index = {
    table: { schema: 'geo', name: 'review' },
    columns: ['city_id', 'at'],
    why: 'loading reviews',
    sql: 'CREATE INDEX ON geo.review (city_id, at)',
  }
  const plan = {
    document: 'city',
    missingIndexes: [index, { ...index, columns: ['at'], sql: 'CREATE INDEX ON geo.review (at)' }],
    warnings: [`reviews: ${index.sql}`, 'now() passes without a mark'],
  } as unknown as DocumentPlan
  expect(planFindings(plan)).toMatchObject([
    {
      name: 'unindexed_link',
      document: 'city',
      what: 'misses an index on geo.review (city_id, at)',
      evidence: 'without it, loading reviews reads the whole table',
      remedy: index.sql,
    },
    { name: 'unindexed_link', remedy: 'CREATE INDEX ON geo.review (at)' },
    { name: 'plan_warning', document: 'city', what: 'now() passes without a mark' },
  ])
})
