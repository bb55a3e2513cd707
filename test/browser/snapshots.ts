import type { Snapshot } from '../../src/admin/snapshot.ts'

/** What a server tells all who watch it: a page that is open on it gets the very same. */
export interface Snapshots {
  /** From the first on. */
  readonly seen: readonly Snapshot[]
  stop(): Promise<void>
}

export function watchSnapshots(url: string): Snapshots {
  const seen: Snapshot[] = []
  const ending = new AbortController()
  const reading = read(url, ending.signal, seen).catch((error: unknown) => {
    if (!ending.signal.aborted) throw error
  })
  return {
    seen,
    stop: () => {
      ending.abort()
      return reading
    },
  }
}

async function read(url: string, signal: AbortSignal, seen: Snapshot[]): Promise<void> {
  const { body } = await fetch(`${url}/api/events`, { signal })
  if (body === null) throw new Error('no events')
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const events = `${rest}${text}`.split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) seen.push(JSON.parse(event.replace(/^data: /, '')))
  }
}
