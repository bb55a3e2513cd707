import { escapeIdentifier, type PoolClient } from 'pg'
import { plural } from '../counts.ts'
import type { AliasAction } from '../elasticsearch/aliases.ts'
import { FailedError } from '../errors.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { advance } from './advance.ts'
import type { RunWork } from './context.ts'
import { notOurs } from './reindex-create.ts'
import { readReadiness } from './reindex-readiness.ts'
import { stateOf } from './reindex-verify.ts'
import type { ReindexResult, Replacement, Run } from './types.ts'

/** Milliseconds for a rollback, where nothing else is asked for: a day. */
const DEFAULT_KEEP_MS = 86_400_000

/**
 * Moves the aliases and writes it down. Whatever an earlier attempt has done is seen by what the aliases point to, so that this
 * may be done again after a crash at any point: the request is all or nothing, and so is the commit.
 *
 * Keys that wait for a new index send the run back to `verify`: it is not swapped while it takes no writes.
 */
export async function swapAliases(work: RunWork, run: Run, then: 'swapped' | 'walk'): Promise<Run> {
  const { pool, schema, plan, elasticsearch } = work
  const { document } = plan
  const { cursor, state } = stateOf(run)
  const { keepMs = DEFAULT_KEEP_MS } = run.options
  const actions = await missingActions(work, state.indices)
  if (actions.length > 0) {
    const { parked } = await readReadiness(pool, schema, document, state.indices)
    if (parked > 0) {
      if (run.options.rollback === true)
        throw notCurrent(document, `${plural(parked, 'key waits', 'keys wait')} for it`)
      if (then === 'walk') throw takesNoWrites(document, parked)
      return advance(pool, schema, run, { to: { ...cursor, step: 'verify' } })
    }
    for (const { name } of state.indices) await elasticsearch.refresh(name)
    await elasticsearch.changeAliases(actions)
  }
  return inTransaction(pool, async (client) => {
    const keptUntil = await writeRoles(client, schema, document, state.indices, keepMs)
    const { refused } = await readReadiness(client, schema, document, state.indices)
    const result: ReindexResult = {
      indices: state.indices.map(({ alias, name, from }) => ({ alias, index: name, before: from })),
      keptUntil,
      refused,
    }
    // Verifying counts what it looks at, too; what is told in the end are the rows.
    const rows = then === 'swapped' ? ', processed = walked, total = walked' : ''
    await client.query(`UPDATE ${escapeIdentifier(schema)}.sync_run SET result = $2${rows} WHERE id = $1`, [
      run.id,
      JSON.stringify({ reindex: result }),
    ])
    return advance(client, schema, run, { to: { ...cursor, step: then } })
  })
}

function takesNoWrites(document: string, keys: number): FailedError {
  return new FailedError(
    `the new index takes no writes: ${plural(keys, 'key waits', 'keys wait')} for it already`,
    {
      where: document,
      remedy:
        'The alias stays where it is, and the new index is given up. sluice status says why it is blocked.',
    },
  )
}

/** The kept index has not everything that the living one has. `what` is wrong with how many keys. */
export function notCurrent(document: string, what: string): FailedError {
  return new FailedError(`the index that was kept is not current: ${what}`, {
    where: document,
    remedy: `The alias stays where it is. sluice reindex ${document} builds a new index from the rows.`,
  })
}

/**
 * What one request has to do, by what the aliases point to now: nothing where an earlier attempt has done it. Throws where
 * someone else has moved them since this run began.
 */
async function missingActions(
  { elasticsearch, plan }: RunWork,
  indices: readonly Replacement[],
): Promise<readonly AliasAction[]> {
  const actions: AliasAction[] = []
  for (const replacement of indices) {
    const { alias, name, from, adopted } = replacement
    const { indices: now, concrete } = await elasticsearch.aliasTargets(alias)
    if (now.length === 1 && now[0] === name) continue
    const others = now.filter((index) => index !== from)
    if (others.length > 0 || (concrete && adopted === undefined)) {
      throw notOurs(plan.document, alias, { others, concrete })
    }
    if (concrete && adopted !== undefined) {
      await assertUnwritten(elasticsearch, alias, adopted)
      actions.push({ kind: 'remove_index', index: alias }, { kind: 'add', index: name, alias, says: {} })
    } else {
      actions.push(...(await movedAliases(elasticsearch, replacement)))
    }
  }
  return actions
}

/** All aliases of the index before, with all that they say, those of others among them; ours also where it was taken off. */
async function movedAliases(
  elasticsearch: RunWork['elasticsearch'],
  { alias, name, from }: Replacement,
): Promise<readonly AliasAction[]> {
  const known = from === null ? new Map() : await elasticsearch.aliasesOf(from)
  const adds = new Map([[alias, {}], ...known])
  return [
    ...[...known.keys()].map((moved): AliasAction => ({ kind: 'remove', index: from ?? '', alias: moved })),
    ...[...adds].map(([moved, says]): AliasAction => ({ kind: 'add', index: name, alias: moved, says })),
  ]
}

/** Whoever writes to an index that is adopted would lose that, and go on writing through the alias. */
async function assertUnwritten(
  elasticsearch: RunWork['elasticsearch'],
  index: string,
  before: number,
): Promise<void> {
  const writes = (await elasticsearch.countWrites(index)) - before
  if (writes === 0) return
  throw new FailedError(
    `someone else writes to the index ${index}: ${writes} operations since this run began`,
    {
      remedy: 'Stop that first. Nothing was moved, the new index is given up; then start it again.',
    },
  )
}

/**
 * The roles as the aliases are now. Of several kept indices of an alias one stays, so that a rollback has one answer. The
 * living one first: there is one of an alias at most. What the alias pointed to without this database knowing it (a restored
 * one, see sync/unknown-indices.ts) is dropped, and so is what was registered in its stead, which nobody searched. Returns
 * until when the one before is kept, ISO 8601.
 */
async function writeRoles(
  client: PoolClient,
  schema: string,
  document: string,
  indices: readonly Replacement[],
  keepMs: number,
): Promise<string | null> {
  const s = escapeIdentifier(schema)
  const aliases = indices.map(({ alias }) => alias)
  const names = indices.map(({ name }) => name)
  await client.query(
    `UPDATE ${s}.sync_index SET role = 'retired', retired_at = clock_timestamp(), drop_at = NULL
      WHERE document = $1 AND role = 'kept' AND alias = ANY ($2) AND name <> ALL ($3)`,
    [document, aliases, names],
  )
  const before = indices.filter(({ adopted, from }) => adopted === undefined && from !== null)
  const searched = before.map(({ from }) => from)
  await client.query(
    `INSERT INTO ${s}.sync_index (name, document, alias, uuid, role, hash, retired_at)
     SELECT name, $1, alias, '', 'retired', '', clock_timestamp() FROM unnest($2::text[], $3::text[]) AS u (name, alias)
     ON CONFLICT (name) DO NOTHING`,
    [document, searched, before.map(({ alias }) => alias)],
  )
  const { rows } = await client.query<{ until: string | null }>(
    `UPDATE ${s}.sync_index
        SET role = CASE WHEN $4 > 0 AND name = ANY ($5) THEN 'kept' ELSE 'retired' END,
            drop_at = CASE WHEN $4 > 0 AND name = ANY ($5) THEN clock_timestamp() + make_interval(secs => $4::float8 / 1000) END,
            retired_at = CASE WHEN $4 > 0 AND name = ANY ($5) THEN NULL ELSE clock_timestamp() END
      WHERE document = $1 AND role = 'live' AND alias = ANY ($2) AND name <> ALL ($3)
      RETURNING to_char(drop_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS until`,
    [document, aliases, names, keepMs, searched],
  )
  await client.query(
    `UPDATE ${s}.sync_index SET role = 'live', drop_at = NULL WHERE document = $1 AND name = ANY ($2)`,
    [document, names],
  )
  return rows[0]?.until ?? null
}
