import type { BatchResult } from '../../src/sync/types.ts'
import { Application, DOCUMENT, HASH, reindex } from './application.ts'
import { disturb } from './events.ts'
import { isOwnFault, isQuiet, judge } from './judge.ts'
import { MemoryElasticsearch, MUTE_TITLE, type RequestFault } from './memory-elasticsearch.ts'
import { MemoryPostgres, RULES, type Rules } from './memory-postgres.ts'
import { memoryQueue } from './memory-queue.ts'
import { memoryStore } from './memory-store.ts'
import type { Pipeline } from './pipeline.ts'
import { plan } from './plan.ts'
import { Random } from './random.ts'
import { type Scenario, scenarioOf } from './scenario.ts'
import { type Actor, actor, Scheduler } from './scheduler.ts'
import { startDaemon } from './simulated-daemon.ts'

/** What broken programs break below the pipeline, in what is simulated. */
export interface Breakage extends Rules {
  /** A daemon moves the versions up to the clock when it joins (invariant 5). */
  readonly raisesFloor: boolean
}

export const UNBROKEN: Breakage = { ...RULES, raisesFloor: true }

export interface RunResult {
  readonly seed: number
  /** Empty: nothing was lost. */
  readonly wrong: readonly string[]
  readonly steps: number
  /** Of simulated time. */
  readonly seconds: number
  /** What has happened, how often. */
  readonly seen: ReadonlyMap<string, number>
}

/** Far above what a run needs (a thousand); one that is stuck goes on for ever. */
const MOST_STEPS = 60_000

/** Of waiting for quiet beside faults. */
const LONGEST_ROUND_MS = 30_000

const LIVE = 'articles-1'
const BUILDING = 'articles-2'

/** One seed: changes and faults, then everything heals, the queue drains, and the indices are compared with the rows. */
export async function runSeed(
  pipeline: Pipeline,
  seed: number,
  { broken = UNBROKEN, trace = null }: { broken?: Breakage; trace?: ((line: string) => void) | null } = {},
): Promise<RunResult> {
  return new Run(pipeline, seed, broken, trace).run()
}

class Run {
  readonly #pipeline: Pipeline
  readonly #seed: number
  readonly #broken: Breakage
  readonly #random: Random
  readonly #scenario: Scenario
  readonly #scheduler: Scheduler
  readonly #postgres: MemoryPostgres
  readonly #elasticsearch: MemoryElasticsearch
  readonly #application: Application
  readonly #wrong: string[] = []
  /** Articles that have had a title which breaks connections. */
  readonly #mute = new Set<string>()
  readonly #seen = new Map<string, number>()
  readonly #daemons: Actor[] = []
  #lives = 0
  #healed = false

  constructor(pipeline: Pipeline, seed: number, broken: Breakage, trace: ((line: string) => void) | null) {
    this.#pipeline = pipeline
    this.#seed = seed
    this.#broken = broken
    const random = new Random(seed)
    this.#random = random
    this.#scenario = scenarioOf(random)
    trace?.(JSON.stringify(this.#scenario))
    this.#scheduler = new Scheduler(random, () => this.#delay(), trace)
    this.#postgres = new MemoryPostgres(this.#scheduler.now, broken)
    this.#elasticsearch = new MemoryElasticsearch(
      {
        request: () => this.#requestFault(),
        item: () => this.#itemRefusal(),
        mostBytes: () => this.#scenario.mostBytes,
      },
      (index, id, from, to) => this.#wrong.push(`${index}/${id} went back from version ${from} to ${to}`),
      (what) => this.#saw(what),
    )
    const { lazy, bad, mute, articles } = this.#scenario
    const parts = { postgres: this.#postgres, stepper: this.#scheduler, random }
    this.#application = new Application({ ...parts, lazy, bad, mute, articles })
  }

  async run(): Promise<RunResult> {
    const { daemons, events } = this.#scenario
    this.#register()
    for (let n = 0; n < daemons; n++) this.#start()
    const writing = this.#write()
    if (events.length > 0) this.#disturb()
    let written = false
    writing.then(
      () => {
        written = true
      },
      (error: unknown) => this.#fail(error),
    )
    const scheduler = this.#scheduler
    const gone = () => this.#wrong.length > 0
    await scheduler.run(() => gone() || (written && this.#application.isDone), MOST_STEPS)
    this.#heal()
    let mended = false
    this.#application.mend().then(
      () => {
        mended = true
      },
      (error: unknown) => this.#fail(error),
    )
    const quiet = () => mended && this.#application.isDone && isQuiet(this.#postgres)
    const drained = await scheduler.run(() => gone() || quiet(), MOST_STEPS)
    if (!gone()) {
      if (drained) this.#wrong.push(...judge(this.#postgres, this.#elasticsearch))
      else this.#wrong.push(`it is stuck: ${this.#left()}`)
    }
    const seconds = scheduler.elapsedMs / 1000
    return { seed: this.#seed, wrong: this.#wrong, steps: scheduler.steps, seconds, seen: this.#seen }
  }

  #register(): void {
    this.#elasticsearch.makeIndex(LIVE)
    this.#postgres.documents.set(DOCUMENT, { state: 'active', hash: HASH, brakeDeletes: 0 })
    const target = { document: DOCUMENT, index: LIVE, alias: DOCUMENT, uuid: LIVE, role: 'live' } as const
    this.#postgres.targets.set(LIVE, { ...target, releasedAt: null })
    // As `install` leaves it.
    this.#postgres.raiseVersionFloor(0n)
  }

  #start(): void {
    const who = actor(`daemon ${++this.#lives}`)
    this.#daemons.push(who)
    const { limits, statementBreaks } = this.#scenario
    const breaks = () =>
      !this.#healed && this.#random.chance(statementBreaks)
        ? this.#random.pick(['before', 'after'] as const)
        : null
    const parts = { postgres: this.#postgres, stepper: this.#scheduler, who, breaks }
    const { requestTimeout: requestTimeoutMs } = limits
    const http = this.#elasticsearch.http(this.#scheduler, who, requestTimeoutMs)
    startDaemon({
      pipeline: this.#pipeline,
      stepper: this.#scheduler,
      who,
      plan,
      limits,
      store: memoryStore(parts),
      queue: memoryQueue(parts),
      elasticsearch: this.#pipeline.elasticsearchOver(http, { requestTimeoutMs }),
      random: this.#random.next,
      raisesFloor: this.#broken.raisesFloor,
      onResult: (result) => this.#watch(result),
      onError: (error) => this.#fail(error),
    })
  }

  async #write(): Promise<void> {
    const { rounds, pauseMs } = this.#scenario
    const who = actor('application')
    for (const [round, transactions] of rounds.entries()) {
      if (round === 1 && this.#scenario.reindex) {
        this.#reindex().catch((error: unknown) => this.#fail(error))
      }
      for (let n = 0; n < transactions; n++) {
        this.#application.change().catch((error: unknown) => this.#fail(error))
        await this.#scheduler.sleep(who, this.#random.int(0, pauseMs))
      }
      await this.#compare(who)
    }
  }

  async #reindex(): Promise<void> {
    this.#elasticsearch.makeIndex(BUILDING)
    await reindex(
      { postgres: this.#postgres, stepper: this.#scheduler, application: this.#application },
      BUILDING,
    )
    this.#saw('a second index')
  }

  /** Where all is quiet in spite of the faults, which may take long. */
  async #compare(who: Actor): Promise<void> {
    const until = this.#scheduler.now() + LONGEST_ROUND_MS
    const isQuietNow = () => this.#application.isDone && isQuiet(this.#postgres)
    const compare = () => {
      if (isQuietNow()) this.#wrong.push(...judge(this.#postgres, this.#elasticsearch))
    }
    const ready = () => isQuietNow() || this.#scheduler.now() > until
    await this.#scheduler.step(who, 'waits until all is quiet', compare, { ready })
  }

  #disturb(): void {
    disturb({
      random: this.#random,
      scenario: this.#scenario,
      scheduler: this.#scheduler,
      postgres: this.#postgres,
      elasticsearch: this.#elasticsearch,
      daemons: this.#daemons,
      start: () => this.#start(),
      isHealed: () => this.#healed,
      saw: (what) => this.#saw(what),
      fail: (error) => this.#fail(error),
    }).catch((error: unknown) => this.#fail(error))
  }

  #heal(): void {
    this.#healed = true
    this.#postgres.down = false
    this.#elasticsearch.down = false
    this.#elasticsearch.blocked.clear()
    for (const daemon of this.#daemons) daemon.stalledUntil = 0
    this.#scheduler.note('everything heals')
  }

  /** Milliseconds until something happens that takes its time: mostly at once, seldom long after. */
  #delay(): number {
    const random = this.#random
    if (!this.#healed && random.chance(this.#scenario.slow / 100)) return random.int(0, this.#scenario.slowMs)
    return random.chance(0.8) ? random.int(0, 5) : random.int(0, 100)
  }

  #requestFault(): RequestFault | null {
    const random = this.#random
    const { requestFault, limits } = this.#scenario
    if (this.#healed || !random.chance(requestFault)) return null
    const kind = random.pick(['lost', 'broken', 'late', 'answer-lost', 'answer-broken', 'status'] as const)
    this.#saw(`a request: ${kind}`)
    if (kind === 'late') return { kind, afterMs: random.int(0, 3 * limits.requestTimeout) }
    if (kind === 'status') return { kind, status: random.pick([429, 502, 503, 401] as const) }
    return { kind }
  }

  #itemRefusal(): 429 | 503 | null {
    if (this.#healed || !this.#random.chance(this.#scenario.itemRefused)) return null
    this.#saw('an item that is refused')
    return this.#random.pick([429, 503] as const)
  }

  #watch(result: BatchResult): void {
    if (result.outcome === 'given-back')
      this.#saw(`given back: ${result.obstacle.scope} ${result.obstacle.type}`)
    else this.#saw(`a batch ${result.outcome}`)
    for (const [id, { title }] of this.#postgres.articles)
      if (title.startsWith(MUTE_TITLE)) this.#mute.add(id)
    for (const failure of this.#postgres.failures.values()) {
      if (isOwnFault(failure, this.#mute.has(failure.key))) continue
      this.#wrong.push(`${failure.key} is charged with what is no fault of its own: ${failure.type}`)
    }
  }

  #left(): string {
    const marks = [...this.#postgres.marks.values()].map(
      ({ lane, keys, target }) => `${lane}:${keys}:${target}`,
    )
    const failures = [...this.#postgres.failures.values()].map(
      ({ key, state, type }) => `${key} ${state} ${type}`,
    )
    return `marks ${marks.join(' ')}; failures ${failures.join(', ')}; ${this.#postgres.openTransactions} transactions open`
  }

  #saw(what: string): void {
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1)
  }

  #fail(error: unknown): void {
    this.#wrong.push(`it broke: ${error instanceof Error ? error.stack : String(error)}`)
  }
}
