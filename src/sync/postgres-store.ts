import type pg from 'pg'
import { castSql, probeSql, rootsSql } from '../documents/expansion-sql.ts'
import type { ExpansionPlan } from '../documents/types.ts'
import { readOnly } from '../postgres/read-transaction.ts'
import { commit } from '../postgres/transaction.ts'
import { currentVersion, drawVersion, raiseVersionFloor } from '../postgres/version.ts'
import { assertClaimLives } from '../queue/assert-claim-lives.ts'
import { claimMarks } from '../queue/claim-marks.ts'
import { noteForeignVersion } from '../queue/foreign-versions.ts'
import { giveBack } from '../queue/give-back.ts'
import { lockFailures } from '../queue/lock-failures.ts'
import { markRoots } from '../queue/mark-roots.ts'
import { readBrake } from '../queue/read-brake.ts'
import { readTargetsOf, readWorkableTargets } from '../queue/read-targets.ts'
import { recordBrake } from '../queue/record-brake.ts'
import { requestRewrite } from '../queue/request-rewrite.ts'
import { setAlarm } from '../queue/set-alarm.ts'
import { settleBatch } from '../queue/settle-batch.ts'
import { takeMarks } from '../queue/take-marks.ts'
import type {
  BatchStore,
  ClaimSession,
  MarksToVerify,
  MostRoots,
  RootRow,
  WorkSession,
} from './batch-store.ts'
import { rowReader } from './row-reader.ts'
import { makeTenantIndices } from './tenant-indices.ts'

/** Sessions are connections of the pool; what each method sends is written in queue/ and documents/. */
export function postgresStore(pool: pg.Pool, schema: string): BatchStore {
  return {
    openClaim: async () => claimSession(await pool.connect(), schema),
    openWork: async () => workSession(await pool.connect(), schema),
    raiseVersionFloor: async (atLeast) => {
      await raiseVersionFloor(pool, schema, atLeast)
    },
  }
}

function claimSession(client: pg.PoolClient, schema: string): ClaimSession {
  return {
    claimMarks: (request) => claimMarks(client, schema, request),
    assertClaimLives: () => assertClaimLives(client),
    lockFailures: async (document) => {
      await lockFailures(client, schema, document, 'exclusive')
    },
    recordBrake: (entry) => recordBrake(client, schema, entry),
    requestRewrite: async (why) => {
      await requestRewrite(client, schema, why)
    },
    noteForeignVersion: async (document, version) => {
      await noteForeignVersion(client, schema, document, version)
    },
    setAlarm: async (document, alarm) => {
      await setAlarm(client, schema, document, alarm)
    },
    settle: (settlement, options) => settleBatch(client, schema, settlement, options),
    giveBack: () => giveBack(client),
    markRoots: ({ large, ...turn }) =>
      markRoots(client, schema, {
        ...turn,
        large: large.map(({ marks, expansion, links }) => ({
          marks,
          roots: rootsSql(schema, expansion, links),
        })),
      }),
    verifyInstead: (turn) => verifyInstead(client, schema, turn),
    release: (broken) => client.release(broken),
  }
}

async function verifyInstead(
  client: pg.PoolClient,
  schema: string,
  { lane, ids, ...why }: MarksToVerify,
): Promise<number> {
  await client.query('BEGIN')
  const taken = await takeMarks(client, schema, { document: why.document, lane, ids })
  if (taken > 0) await requestRewrite(client, schema, why)
  await commit(client)
  return taken
}

function workSession(client: pg.PoolClient, schema: string): WorkSession {
  return {
    ...rowReader(client),
    drawVersion: () => drawVersion(client, schema),
    raiseVersionFloor: async (atLeast) => {
      await raiseVersionFloor(client, schema, atLeast)
    },
    currentVersion: () => currentVersion(client, schema),
    readWorkableTargets: (asked) => readWorkableTargets(client, schema, asked),
    readTargetsOf: (document, aliases) => readTargetsOf(client, schema, document, aliases),
    readBrake: (document) => readBrake(client, schema, document),
    readRoots: (expansion, links, most) => readRoots(client, schema, { expansion, links, most }),
    castLink: (expansion, link, timeoutMs) =>
      readOnly(client, { timeoutMs, ridesIndexes: true }, () => client.query(castSql(expansion), [...link])),
    makeTenantIndices: (elasticsearch, of, wanted) =>
      makeTenantIndices(client, { schema, elasticsearch }, of, wanted),
    release: (broken) => client.release(broken),
  }
}

async function readRoots(
  client: pg.PoolClient,
  schema: string,
  {
    expansion,
    links,
    most: { ofEach, inAll, timeoutMs },
  }: {
    readonly expansion: ExpansionPlan
    readonly links: readonly (readonly (string | null)[])[]
    readonly most: MostRoots
  },
) {
  const text = probeSql(schema, expansion, ofEach)
  const values = [...expansion.links.map((_, n) => links.map((parts) => parts[n] ?? null)), inAll]
  const { result, server } = await readOnly(client, { timeoutMs, ridesIndexes: true }, () =>
    client.query<[...RootRow]>({ text, values, rowMode: 'array' }),
  )
  return { rows: result.rows, server }
}
