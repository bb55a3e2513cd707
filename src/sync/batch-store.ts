import type { DocumentKey, DocumentPlan, ExpansionPlan } from '../documents/types.ts'
import type { Version } from '../postgres/types.ts'
import type { ClaimRequest } from '../queue/claim-marks.ts'
import type { BrakeState } from '../queue/read-brake.ts'
import type { BrakeEntry } from '../queue/record-brake.ts'
import type { SettleOptions } from '../queue/settle-batch.ts'
import type { BatchTarget, Claim, Lane, Mark, Settlement } from '../queue/types.ts'
import type { AddressedKey } from './addressed.ts'
import type { MadeIndices, TenantIndicesContext } from './tenant-indices.ts'

/**
 * What a batch asks of Postgres, on two sessions (invariant 9). `postgresStore` is the one that ships; the simulation
 * (test/simulation) has one in memory, whose every answer, fault and interleaving it chooses, and a contract test holds
 * the two to the same behaviour. Each method is one statement, or one short transaction, and rejects with pg's errors.
 */
export interface BatchStore {
  openClaim(): Promise<ClaimSession>
  openWork(): Promise<WorkSession>
  /** As `raiseVersionFloor`, on a connection of its own. */
  raiseVersionFloor(atLeast: bigint): Promise<void>
}

interface Session {
  /** `broken`: it saw an error and is not used again. Whatever transaction it holds is undone then. */
  release(broken: boolean): void
}

/** The claim's transaction, from claimMarks to settle, giveBack or markRoots. It touches our own tables alone. */
export interface ClaimSession extends Session {
  claimMarks(request: ClaimRequest): Promise<Claim | null>
  assertClaimLives(): Promise<void>
  /** Until the commit no other settlement of the document passes; comes before all that is written. */
  lockFailures(document: string): Promise<void>
  /** The alarm of the batch that tripped the brake, or null. */
  recordBrake(entry: BrakeEntry): Promise<string | null>
  requestRewrite(why: Rewrite): Promise<void>
  noteForeignVersion(document: string, version: bigint): Promise<void>
  setAlarm(document: string, alarm: string): Promise<void>
  /** Commits. */
  settle(settlement: Settlement, options: SettleOptions): Promise<void>
  /** Rolls back; never rejects. */
  giveBack(): Promise<void>
  /** Gives the claim back and turns some of its marks into marks of their documents; how many. Rolls back where it rejects. */
  markRoots(turn: RootsToMark): Promise<number>
  /** After a rollback: takes those marks that are still free out of the queue, and requests a verify instead; how many. */
  verifyInstead(turn: MarksToVerify): Promise<number>
}

interface Rewrite {
  readonly document: string
  readonly reason: string
  readonly origin?: string
  readonly truncated?: boolean
}

export interface RootsToMark {
  readonly document: string
  /** The lane that the marks are in. */
  readonly lane: Lane
  /** Marks that agree in target and run, and the link values that lead to their documents, taken apart. */
  readonly large: readonly {
    readonly marks: readonly Mark[]
    readonly expansion: ExpansionPlan
    readonly links: readonly LinkParts[]
  }[]
  readonly timeoutMs: number
}

export interface MarksToVerify extends Rewrite {
  readonly lane: Lane
  readonly ids: readonly string[]
  readonly origin: string
}

/** Everything beside the claim, each in a short transaction of its own. */
export interface WorkSession extends Session, RowReader {
  /** Durable when it resolves (invariant 4). */
  drawVersion(): Promise<Version>
  raiseVersionFloor(atLeast: bigint): Promise<void>
  /** Last version drawn by anybody. */
  currentVersion(): Promise<bigint>
  /** Null: the document must not be worked on with this definition. */
  readWorkableTargets(asked: {
    readonly document: string
    readonly hash: string
    readonly tenants: boolean
  }): Promise<readonly BatchTarget[] | null>
  readTargetsOf(document: string, aliases: readonly string[]): Promise<readonly BatchTarget[]>
  readBrake(document: string): Promise<BrakeState>
  /** The documents that link values lead to, as `probeSql` has them. */
  readRoots(
    expansion: ExpansionPlan,
    links: readonly LinkParts[],
    most: MostRoots,
  ): Promise<FoundRows<RootRow>>
  /** Rejects with class 22 where a link's text is no value of its types. */
  castLink(expansion: ExpansionPlan, link: LinkParts, timeoutMs: number): Promise<{ readonly server: string }>
  makeTenantIndices(
    elasticsearch: TenantIndicesContext['elasticsearch'],
    of: { readonly plan: DocumentPlan; readonly hash: string },
    wanted: ReadonlyMap<string, readonly AddressedKey[]>,
  ): Promise<MadeIndices>
}

/** Reads rows of the application's tables. */
export interface RowReader {
  readRows(plan: LoadPlan, keys: readonly DocumentKey[], timeoutMs: number): Promise<FoundRows<LoadRow>>
}

export type LoadPlan = Pick<DocumentPlan, 'key' | 'idParts' | 'loadSql' | 'query'>

type LinkParts = readonly (string | null)[]

export interface MostRoots {
  /** Of one link value. */
  readonly ofEach: number
  readonly inAll: number
  readonly timeoutMs: number
}

/** Rows, and the server that was asked (invariant 6). */
export interface FoundRows<Row> {
  readonly rows: readonly Row[]
  readonly server: string
}

/** 1-based position of the key that was asked for; the row's present key; JSON in UTF-8; why it cannot be indexed. */
export type LoadRow = readonly [position: number, key: string, document: Buffer, problem: string | null]

/** 1-based position of the link; key of a document. */
export type RootRow = readonly [position: string, key: string]
