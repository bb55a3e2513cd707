import type { Mutation } from '../support/mutant.ts'

/** The program, broken on purpose in one place each: what a test of the promises must notice. */
export const mutants = {
  /** The program as it is, tried like a mutant: what it is noticed for, nobody else needs to be broken for. */
  unbroken: [],
  /** Invariant 3. */
  'version-before-claim': [
    {
      file: 'sync/batch.ts',
      find: '    claims = await store.openClaim()\n',
      replace:
        '    work = await store.openWork()\n    const early = await draw(work, store)\n    claims = await store.openClaim()\n',
    },
    {
      file: 'sync/batch.ts',
      find: '    work = await store.openWork()\n    const version = await draw(work, store, limits.requestTimeout)\n',
      replace: '    const version = early\n',
    },
  ],
  /** Invariant 3. */
  'version-after-load': [
    {
      file: 'sync/batch.ts',
      find: `() =>
          sendOperations(context.elasticsearch, operations, version.version,`,
      replace: `async () =>
          sendOperations(context.elasticsearch, operations, (await draw(work as NonNullable<typeof work>, store)).version,`,
    },
  ],
  /**
   * Invariant 4: a bare nextval, whose commit waits for nothing. Without what invariant 5 says, which heals it after
   * a crash: the floor at the clock, and the look at conflicts.
   */
  'version-not-durable': [
    {
      file: 'postgres/version.ts',
      find: "set_config('synchronous_commit', 'on', true),\n",
      replace: 'true,\n',
    },
    {
      file: 'postgres/version.ts',
      find: "            pg_logical_emit_message(true, 'sluice', ''),\n",
      replace: '',
    },
    { file: 'sync/draw.ts', find: 'drawn.version > before', replace: 'drawn.version > 0n' },
    { file: 'sync/join-database.ts', find: '        await raiseVersionFloor(client, schema)\n', replace: '' },
    {
      file: 'sync/foreign-versions.ts',
      find: 'if (foreign === null) return',
      replace: 'if (foreign === null || foreign > 0n) return',
    },
    { file: 'sync/settle.ts', find: 'stored > current)', replace: 'stored > current && stored < 0n)' },
  ],
  /** Invariant 7. */
  'index-without-version': [
    {
      file: 'elasticsearch/bulk.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
      find: '"version":${digits},"version_type":"external_gte",',
      replace: '',
    },
  ],
  /** Invariant 8: the claim is committed before the request. */
  'acknowledged-before-answer': [
    {
      file: 'sync/batch.ts',
      find: `        const goOn = async () => {
          await connection.assertClaimLives()`,
      replace: `        const nothing = { succeeded: new Map(), failures: [], givenBack: [], parked: [], runs: [], log: [] }
        const settled = { ...nothing, document: plan.document, lane, version: 0n, lagCounts: [], batches: 0 }
        await connection.settle(settled, { worker: context.instance, maxRetries: 1 })
        const goOn = async () => {
          if (false) await connection.assertClaimLives()`,
    },
  ],
  /** Invariant 8: a request without an answer counts as done. */
  'silence-is-success': [
    {
      file: 'sync/batch.ts',
      find: 'if (!obstacle.suspicious) throw new Obstructed(obstacle)\n',
      replace: 'continue\n',
    },
  ],
  /** Invariant 8. */
  'success-erases-newer-failure': [
    {
      file: 'queue/erase-failures.ts',
      find: 'f.version <= $2::bigint',
      replace: 'f.version IS NOT NULL AND $2::bigint > 0',
    },
  ],
  /** Invariant 8. */
  'failure-replaces-newer-failure': [
    {
      file: 'queue/record-failures.ts',
      find: '     WHERE f.version <= excluded.version`,',
      replace: '     WHERE f.version IS NOT NULL`,',
    },
  ],
  /** Invariant 8: what failed is not looked at again. */
  'late-failure-stays': [
    {
      file: 'sync/settle.ts',
      find: '  if (outcomes.failures.length > 0) await examineFailures(context, batch)\n',
      replace: '',
    },
  ],
  /** A row whose key of several parts changes is marked under the new key alone. */
  'old-key-is-not-marked': [
    {
      file: 'capture/capture-functions.ts',
      find: 'first === undefined || key.length === 1',
      replace: 'first === undefined || key.length > 0',
    },
  ],
  /** Invariant 10: a document is charged for a busy server. Noticed by `npm run proof -- refused`. */
  'refusal-is-charged': [
    {
      file: 'elasticsearch/outcome.ts',
      find: "if (busy.has(status)) return { outcome: 'retry', type, reason, charged: false }",
      replace: "if (busy.has(status)) return { outcome: 'retry', type, reason, charged: true }",
    },
  ],
  /** Invariant 9: a claim that was cut off sends all the same. */
  'dead-claim-sends': [
    { file: 'sync/send.ts', find: 'if (!(await beforeEach())) return', replace: 'if (false) return' },
  ],
} as const satisfies Readonly<Record<string, readonly Mutation[]>>

export type MutantName = keyof typeof mutants

/** Those that a short crash test has to notice; tests of their own show the others (test/integration/invariants.test.ts). */
export const noticeable = [
  'version-before-claim',
  'version-not-durable',
  'acknowledged-before-answer',
  'index-without-version',
  'success-erases-newer-failure',
] as const satisfies readonly MutantName[]
