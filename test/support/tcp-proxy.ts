import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** How bytes travel at present, in both directions. */
export type Pace =
  | { readonly kind: 'open' }
  /** Nothing arrives and nothing is lost: as behind a cable that is out, until it is in again. */
  | { readonly kind: 'hold' }
  /** Each piece arrives so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** This share of the pieces arrives later, by up to so much, and so does what comes after them on the same connection. */
  | { readonly kind: 'jitter'; readonly share: number; readonly ms: number }
  /** So many bytes at a time, 5 ms apart. */
  | { readonly kind: 'drip'; readonly bytes: number }
  /** Every connection is reset, the ones that come as well: as before a server that is down. */
  | { readonly kind: 'refuse' }

export interface TcpProxy {
  /** The target's URL, by way of the proxy. */
  readonly url: string
  readonly connections: number
  /** Until the next call. What was held goes on at once where it may. */
  pace(pace: Pace): void
  /** Resets every connection. */
  cut(): void
  /** Ends the stream towards the client: what it sends still arrives, and no answer comes back. */
  halfClose(): void
  /** The next answer of each connection arrives by half, and then the connection is reset. */
  cutNextAnswer(): void
  close(): Promise<void>
}

const DRIP_MS = 5

/** A sender is not read from while so much waits for the receiver. */
const MOST_WAITING = 1024 * 1024

/**
 * A proxy before a server, for what networks do: connections that break, half of them, in the middle of an answer, or that
 * stand still. It knows nothing of what it passes on.
 *
 * @param target URL of the server, with a port
 */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  let present: Pace = { kind: 'open' }
  const pairs = new Set<Pair>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    const pair = new Pair(client, upstream, () => present)
    pairs.add(pair)
    pair.closed.then(() => pairs.delete(pair))
    if (present.kind === 'refuse') pair.reset()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as AddressInfo
  return {
    url: Object.assign(new URL(target), { hostname: '127.0.0.1', port: own }).href,
    get connections() {
      return pairs.size
    },
    pace: (pace) => {
      present = pace
      for (const pair of pairs) {
        if (pace.kind === 'refuse') pair.reset()
        else pair.pump()
      }
    },
    cut: () => {
      for (const pair of pairs) pair.reset()
    },
    halfClose: () => {
      for (const pair of pairs) pair.halfClose()
    },
    cutNextAnswer: () => {
      for (const pair of pairs) pair.cutNextAnswer()
    },
    close: async () => {
      for (const pair of pairs) pair.reset()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A connection through the proxy. */
class Pair {
  readonly closed: Promise<unknown>
  readonly #client: Socket
  readonly #server: Socket
  readonly #there: Stream
  readonly #back: Stream

  constructor(client: Socket, server: Socket, pace: () => Pace) {
    this.#client = client
    this.#server = server
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      // Whoever breaks it off breaks off the other side, too.
      socket.on('error', () => this.reset())
      socket.once('close', () => this.reset())
    }
    this.#there = new Stream(client, server, pace)
    this.#back = new Stream(server, client, pace)
    this.closed = Promise.all(
      [client, server].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    )
  }

  pump(): void {
    this.#there.pump()
    this.#back.pump()
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  halfClose(): void {
    this.#client.end()
  }

  cutNextAnswer(): void {
    this.#back.halveNext(() => this.reset())
  }
}

/** By how many milliseconds a piece is late. @param luck of the piece, from 0 and below 1 */
export function lateness(pace: Pace, luck: number): number {
  if (pace.kind === 'delay') return pace.ms
  return pace.kind === 'jitter' && luck < pace.share ? pace.ms * (luck / pace.share) : 0
}

/** One direction: what was read and not passed on yet. */
class Stream {
  readonly #from: Socket
  readonly #to: Socket
  readonly #pace: () => Pace
  #waiting: { readonly bytes: Buffer; readonly readAt: number; readonly luck: number }[] = []
  #size = 0
  #ended = false
  #timer: NodeJS.Timeout | undefined
  #halved: (() => void) | null = null

  constructor(from: Socket, to: Socket, pace: () => Pace) {
    this.#from = from
    this.#to = to
    this.#pace = pace
    from.on('data', (bytes) => {
      this.#waiting.push({ bytes, readAt: performance.now(), luck: Math.random() })
      this.#size += bytes.length
      if (this.#size > MOST_WAITING) from.pause()
      this.pump()
    })
    from.once('end', () => {
      this.#ended = true
      this.pump()
    })
    to.on('drain', () => this.pump())
    to.once('close', () => clearTimeout(this.#timer))
  }

  halveNext(then: () => void): void {
    this.#halved = then
  }

  /** Passes on what may go now, and comes again for what may go later. */
  pump(): void {
    clearTimeout(this.#timer)
    const pace = this.#pace()
    if (pace.kind === 'hold') return
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting
      if (first === undefined || this.#to.writableNeedDrain || this.#to.destroyed) return
      const wait = first.readAt + lateness(pace, first.luck) - performance.now()
      if (wait > 0) {
        this.#later(wait)
        return
      }
      this.#pass(pace.kind === 'drip' ? pace.bytes : first.bytes.length)
      if (pace.kind === 'drip') {
        this.#later(DRIP_MS)
        return
      }
    }
    if (this.#ended) this.#to.end()
  }

  #pass(most: number): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const bytes = first.bytes.subarray(0, most)
    const rest = first.bytes.subarray(most)
    if (rest.length > 0) this.#waiting[0] = { ...first, bytes: rest }
    else this.#waiting.shift()
    this.#size -= bytes.length
    if (this.#size < MOST_WAITING) this.#from.resume()
    // This way is closed: what still comes has no reader.
    if (this.#to.writableEnded) return
    const then = this.#halved
    if (then === null) {
      this.#to.write(bytes)
      return
    }
    this.#halved = null
    this.#to.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), then)
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.pump(), ms)
  }
}
