import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { createPool } from '../../src/postgres/connect.ts'
import { type Daemons, plainEnvironment, prepareDaemons } from '../chaos/daemons.ts'
import { articles, type SteadyWrites, startSteadyWrites } from '../chaos/steady-writes.ts'
import { compare } from '../support/compare.ts'
import { eventually } from '../support/eventually.ts'
import { type PostgresServer, type Server, startPostgres } from '../support/servers/index.ts'
import { type Address, openAddress } from './address.ts'
import { main, runCommand } from './command.ts'
import type { Figures } from './figures.ts'
import { type AskedVerify, askedVerifies, isAtRest, liveIndex, sentBatches } from './tables.ts'

/** How long the application writes before and after what happens, milliseconds. */
const WRITING_MS = 1_500
const PATIENCE_MS = 60_000

interface SceneOptions {
  readonly name: string
  readonly elasticsearch: Server
  /** Folder for configurations and logs. */
  readonly logs: string
  readonly say: (text: string) => void
  readonly postgresVersion?: number
}

/**
 * A place for one drill: a Postgres behind a virtual address, an application that writes to it all the while, an installed
 * document `article` and a daemon that follows. What an operator would see is collected as the drill goes on.
 */
export class Scene {
  readonly elasticsearch: Server
  readonly postgres: PostgresServer
  readonly address: Address
  readonly index: string
  readonly problems: string[] = []
  /** What an operator saw, in order. */
  readonly seen: string[] = []
  readonly #options: SceneOptions
  readonly #closing: AsyncDisposableStack
  readonly #daemons: Daemons[] = []
  readonly #names: string[] = []
  #writes: SteadyWrites | null = null
  #pool: pg.Pool

  private constructor(
    options: SceneOptions,
    closing: AsyncDisposableStack,
    postgres: PostgresServer,
    address: Address,
  ) {
    this.#options = options
    this.#closing = closing
    this.elasticsearch = options.elasticsearch
    this.postgres = postgres
    this.address = address
    this.index = `drill-${options.name}`
    this.#pool = this.#poolOf(postgres.url)
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const closing = new AsyncDisposableStack()
    const { postgresVersion: version } = options
    const postgres = await startPostgres(version === undefined ? {} : { version })
    closing.defer(() => postgres.stop())
    const address = await openAddress(postgres.port)
    closing.defer(() => address.close())
    const scene = new Scene(options, closing, postgres, address)
    try {
      await scene.#begin()
      return scene
    } catch (error) {
      await scene[Symbol.asyncDispose]()
      throw error
    }
  }

  async #begin(): Promise<void> {
    await mkdir(this.logs, { recursive: true })
    await this.#pool.query(articles)
    await this.configure('sluice', this.address.urlOf(this.postgres.url))
    await this.sluice(['install'])
    await this.startDaemon('sluice')
    await this.atRest()
  }

  get logs(): string {
    return this.#options.logs
  }

  /** The database that is true now. */
  get pool(): pg.Pool {
    return this.#pool
  }

  say(text: string): void {
    this.seen.push(`# ${text}`)
    this.#options.say(text)
  }

  /** From now on, this server's rows are the truth. */
  async believe(server: PostgresServer): Promise<void> {
    await this.#pool.end()
    this.#pool = this.#poolOf(server.url)
  }

  /** Ends with the scene. */
  async keep<T extends { stop(): Promise<void> }>(server: T): Promise<T> {
    this.#closing.defer(() => server.stop())
    return server
  }

  /** Writes a configuration file; `sluice` and `startDaemon` name it. `also`: documents beside `article`. */
  async configure(name: string, postgres: string, also: object = {}): Promise<void> {
    const connection = { postgres, elasticsearch: this.elasticsearch.url }
    const documents = { article: { table: 'article', index: this.index }, ...also }
    await writeFile(this.#config(name), JSON.stringify({ connection, documents }, null, 2))
  }

  /** Runs a command as the operator does. Exit codes other than 0 fail, unless they are expected. */
  async sluice(
    args: readonly string[],
    { config = 'sluice', codes = [0] as readonly number[] } = {},
  ): Promise<string> {
    const { code, text } = await this.#run(args, config)
    if (!codes.includes(code)) throw new Error(`sluice ${args.join(' ')}: exit code ${code}\n${text}`)
    return text
  }

  /** Notes what a command shows. */
  async look(args: readonly string[] = ['status'], config = 'sluice'): Promise<string> {
    const { text } = await this.#run(args, config)
    this.seen.push(`$ sluice ${args.join(' ')}`, ...text.trimEnd().split('\n'))
    return text
  }

  async startDaemon(name: string): Promise<Daemons> {
    const daemons = await prepareDaemons({
      main,
      config: this.#config(name),
      logs: this.logs,
      count: 1,
      environment: plainEnvironment(),
      name,
    })
    this.#closing.defer(() => daemons.end())
    this.#daemons.push(daemons)
    this.#names.push(name)
    daemons.start(0)
    await eventually(() => daemons.works(0), { timeoutMs: PATIENCE_MS, describe: `daemon ${name} works` })
    return daemons
  }

  /** The daemon that the scene began with. */
  get daemon(): Daemons {
    const [first] = this.#daemons
    if (first === undefined) throw new Error('there is no daemon yet')
    return first
  }

  /** The application writes from now on, at this address; resolves when it has done so for a moment. */
  async write(url = this.address.urlOf(this.postgres.url), perSecond = 100): Promise<SteadyWrites> {
    await this.#writes?.stop()
    const writes = startSteadyWrites(url, perSecond)
    this.#writes = writes
    this.#closing.defer(() => writes.stop())
    await delay(WRITING_MS)
    return writes
  }

  /** The application writes on for a moment. */
  async moment(ms = WRITING_MS): Promise<void> {
    await delay(ms)
  }

  /**
   * The application writes on until the daemon has sent so many batches more: it may have to join the database again first.
   * A copy of the data directory may count some 50 batches of its original as its own (docs/identity.md).
   */
  async batches(more = 100): Promise<void> {
    const sent = () => sentBatches(this.#pool)
    const before = await sent()
    await this.expect(`${more} more batches are sent`, async () => (await sent()) >= before + more)
  }

  /** Waits for a condition of the drill; that it does not come is a problem, and the drill goes on. */
  async expect(
    what: string,
    holds: () => boolean | Promise<boolean>,
    timeoutMs = PATIENCE_MS,
  ): Promise<boolean> {
    try {
      await eventually(holds, { timeoutMs, describe: what })
      return true
    } catch {
      this.problems.push(`it did not come to this: ${what}`)
      return false
    }
  }

  /** Runs that sluice asked for itself, with what was the matter. */
  verifies(): Promise<readonly AskedVerify[]> {
    return askedVerifies(this.#pool)
  }

  /** A verify with such a reason was asked for. */
  async verifyAsked(reason: RegExp): Promise<void> {
    await this.expect(`a verify is asked for, because ${reason.source}`, async () =>
      (await this.verifies()).some((run) => reason.test(run.reason)),
    )
  }

  /** Lines of the daemons' logs from warning up, shortened; of one after the other. */
  async logged(): Promise<readonly string[]> {
    const lines = await Promise.all(this.#names.map((name) => this.#logOf(name)))
    return lines.flat()
  }

  async #logOf(name: string): Promise<readonly string[]> {
    const text = await readFile(join(this.logs, `${name}-1.log`), 'utf8')
    return text.split('\n').flatMap((line) => {
      if (!line.startsWith('{')) return []
      const { level, msg, reason, document } = JSON.parse(line) as Record<string, unknown>
      if (Number(level) < 40) return []
      return [[name, msg, document, reason].filter((part) => part !== undefined).join(': ')]
    })
  }

  /** Waits until nothing is left to do. */
  async atRest(timeoutMs = PATIENCE_MS): Promise<boolean> {
    return this.expect('nothing is left to do', () => isAtRest(this.#pool), timeoutMs)
  }

  /** Stops the application and compares every row with its document. */
  async compare(): Promise<Figures> {
    for (const daemons of this.#daemons) this.problems.push(...daemons.failures)
    await this.#writes?.stop()
    await this.atRest()
    const searched = Object.keys(await this.request('GET', `/_alias/${this.index}`))
    if (searched.join() !== (await this.physical()))
      this.problems.push(`the alias points to ${searched.join()}`)
    const { documents, missing, stale, extra, examples } = await compare({
      pool: this.#pool,
      elasticsearch: this.elasticsearch.url,
      index: this.index,
      truth: `SELECT id::text, json_build_object('id', id, 'title', title, 'body', body, 'stock', stock) AS document FROM article ORDER BY id`,
    })
    this.problems.push(...examples)
    if (missing + stale + extra > 0) this.problems.push(`${missing} missing, ${stale} stale, ${extra} extra`)
    return { documents, missing, stale, extra }
  }

  async request(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(new URL(path, this.elasticsearch.url), {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }

  /** The physical index that batches write to. */
  physical(): Promise<string> {
    return liveIndex(this.#pool)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes?.stop()
    await this.#pool.end().catch(() => undefined)
    await this.#closing.disposeAsync()
    await this.request('DELETE', `/${this.index}-*?ignore_unavailable=true`).catch(() => undefined)
    await this.request('DELETE', `/_index_template/sluice-${this.index}`).catch(() => undefined)
  }

  #poolOf(url: string): pg.Pool {
    return createPool(url, { max: 2, applicationName: 'drill' })
  }

  #config(name: string): string {
    return join(this.logs, `${name}.config.json`)
  }

  #run(args: readonly string[], config: string) {
    return runCommand(args, { config: this.#config(config), folder: this.logs })
  }
}
