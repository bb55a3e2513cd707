import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'
import type { legNames, probeJson } from '../../answers/json/probe.ts'
import { addressOf } from '../../documents/key-address.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import type { InstalledDocument } from '../../queue/read-documents.ts'
import { attendedDocuments } from '../../runs/request-backfill.ts'
import type { Database } from '../context.ts'
import { duration } from '../format.ts'
import { chooseKey } from './choose-key.ts'
import { followMark, type Outlet, type Passage, readCopy } from './follow-mark.ts'
import { refusal } from './refusal.ts'
import { readTriggers } from './triggers.ts'
import { keyObstacles, obstacles } from './why-not.ts'
import { type Written, writeMark } from './write-mark.ts'

export type Probe = z.infer<typeof probeJson>
type LegName = (typeof legNames)[number]

interface Servers {
  readonly database: Database
  readonly elasticsearch: Elasticsearch
}

export interface ProbeRequest {
  /** Null: any. */
  readonly id: string | undefined
  readonly touch: boolean
  readonly timeoutMs: number
}

/** Between two looks for a daemon: it is known with its first heartbeat. */
const attendedEveryMs = 100

/**
 * Sends one document through the whole way. Nothing is written where nothing would come out: while the document is paused or
 * detached, or no daemon works on it (one that is starting is waited for). Triggers are looked at whatever was sent, for a mark that
 * `enqueue` wrote comes through without them.
 */
export async function probe(
  servers: Servers,
  installed: InstalledDocument,
  request: ProbeRequest,
): Promise<Probe> {
  try {
    return await send(servers, installed, request)
  } catch (error) {
    throw await refusal(servers.database, installed.plan, request.touch, error)
  }
}

async function send(
  servers: Servers,
  { name, state, plan }: InstalledDocument,
  { id, touch, timeoutMs }: ProbeRequest,
): Promise<Probe> {
  const { database } = servers
  const nothing: Omit<Probe, 'triggers'> = {
    document: name,
    id: id ?? null,
    arrived: false,
    by: null,
    legs: [],
    resolutionMs: 0,
    index: null,
    version: null,
    notes: [],
    why: [],
  }
  const deadline = performance.now() + timeoutMs
  const ended = async (tried: boolean, ending: Partial<Probe>): Promise<Probe> => ({
    ...nothing,
    ...ending,
    triggers: await readTriggers(database, name, tried),
  })
  const unsent = async () =>
    ended(false, {
      why: ['nothing was sent', ...(await obstacles(database, name))],
    })
  // Before its rows are looked at: of a detached document no view is left, and that of a paused one may be what is broken.
  if (state !== 'active') return unsent()
  const key = await chooseKey(servers, plan, id)
  if (!(await attended(database, name, deadline))) return unsent()
  const outlet: Outlet = { document: name, key, ...addressOf(plan, key.parts) }
  const before = await readCopy(servers, outlet)
  const written = await writeMark(database, plan, key, touch)
  const { mark, drawn } = written
  if (mark === null) return ended(true, { id: key.id, index: before.index, why: [untriggered(name)] })
  const passage = await followMark(servers, outlet, { mark, drawn, before, deadline })
  const arrived = passage.searchableAt !== null && passage.acknowledgedAt !== null
  return ended(written.by === 'trigger', {
    id: key.id,
    arrived,
    by: written.by,
    legs: legsOf(written, passage),
    resolutionMs: rounded(passage.resolutionMs),
    index: passage.copy.index,
    version: passage.indexedAt === null ? null : passage.copy.version,
    notes: [...written.notes],
    why: arrived ? [] : await whyNot(servers, outlet, passage, timeoutMs),
  })
}

async function attended({ pool, schema }: Database, document: string, deadline: number): Promise<boolean> {
  for (;;) {
    if ((await attendedDocuments(pool, schema)).has(document)) return true
    const left = deadline - performance.now()
    if (left <= 0) return false
    await delay(Math.min(attendedEveryMs, left))
  }
}

function untriggered(document: string): string {
  return `an UPDATE of its row wrote no mark, and was rolled back: the triggers of ${document} are missing, off or changed, or this session does not fire them (session_replication_role): sluice doctor`
}

function legsOf({ writtenMs, commitMs, committedAt }: Written, passage: Passage): Probe['legs'] {
  const begunAt = committedAt - commitMs - writtenMs
  const { claimedAt, indexedAt, acknowledgedAt, searchableAt } = passage
  const seen: readonly (readonly [LegName, at: number | null, since: number | null])[] = [
    ['written', begunAt + writtenMs, begunAt],
    ['committed', committedAt, begunAt + writtenMs],
    ['claimed', claimedAt, committedAt],
    ['indexed', indexedAt, claimedAt],
    // A batch that wrote nothing is acknowledged all the same.
    ['acknowledged', acknowledgedAt, indexedAt ?? claimedAt],
    ['searchable', searchableAt, indexedAt],
  ]
  return seen
    .flatMap(([name, at, since]) =>
      at === null || since === null
        ? []
        : [{ name, atMs: rounded(at - begunAt), tookMs: rounded(at - since) }],
    )
    .sort((a, b) => a.atMs - b.atMs)
}

/** To a tenth of a millisecond. */
function rounded(ms: number): number {
  return Math.round(ms * 10) / 10
}

async function whyNot(
  servers: Servers,
  { document, key }: Outlet,
  passage: Passage,
  timeoutMs: number,
): Promise<string[]> {
  if (passage.indexedAt !== null) return [await shown(servers, passage, timeoutMs)]
  const ofKey = await keyObstacles(servers.database, document, key.key)
  return [
    standing(passage, timeoutMs, ofKey.length > 0),
    ...ofKey,
    ...(await obstacles(servers.database, document, { unclaimed: passage.claimedAt === null })),
  ]
}

/** How far a mark came whose document did not come out. `explained`: what keeps its key is known. */
function standing({ claimedAt, acknowledgedAt }: Passage, timeoutMs: number, explained: boolean): string {
  const within = `within ${duration(timeoutMs)}`
  if (claimedAt === null)
    return `no daemon claimed the mark ${within}; it waits in the queue, and does no harm there`
  if (acknowledgedAt === null)
    return `a daemon claimed the mark, and Elasticsearch did not have the document ${within}`
  const worked = 'the mark was worked on, and nothing was written to Elasticsearch'
  return explained
    ? worked
    : `${worked}: transform left the document out, its row changed meanwhile, or the index has it with a higher version (sluice inspect)`
}

/** Elasticsearch has the document; what was missing after that. */
async function shown(
  { elasticsearch }: Servers,
  { searchableAt, copy }: Passage,
  timeoutMs: number,
): Promise<string> {
  const within = `within ${duration(timeoutMs)}`
  if (searchableAt !== null) return `the document is searchable, and its batch was not acknowledged ${within}`
  const settings = copy.index === null ? {} : await elasticsearch.getSettings(copy.index)
  const interval = settings['index.refresh_interval']
  return `Elasticsearch has the document, and did not show it to searches ${within}${
    typeof interval === 'string' ? `: the refresh_interval of ${copy.index} is ${interval}` : ''
  }`
}
