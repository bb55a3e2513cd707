import type { RootRow, WorkSession } from '../../src/sync/batch-store.ts'
import type { Connection } from './memory-connection.ts'
import { articlesOf, rowOf } from './memory-documents.ts'
import { type MemoryPostgres, serverError } from './memory-postgres.ts'

/** The connection of a batch that draws, expands and loads. */
export function workSession(connection: Connection): WorkSession {
  const { postgres } = connection
  return {
    drawVersion: () =>
      connection.run('draws a version', () => ({
        version: postgres.nextVersion(),
        server: postgres.server,
      })),
    raiseVersionFloor: (atLeast) =>
      connection.run('raises the version floor', () => postgres.raiseVersionFloor(atLeast)),
    currentVersion: () => connection.run('reads the last version', () => postgres.lastVersion),
    readWorkableTargets: ({ document, hash, tenants }) =>
      connection.run('reads the targets', () => {
        const row = postgres.documents.get(document)
        if (row?.state !== 'active' || row.hash !== hash) return null
        return tenants ? [] : targetsOf(postgres, document, () => true)
      }),
    readTargetsOf: (document, aliases) =>
      connection.run('reads the targets', () =>
        targetsOf(postgres, document, (alias) => aliases.includes(alias)),
      ),
    readBrake: (document) =>
      connection.run('reads the brake', () => ({
        deletes: postgres.documents.get(document)?.brakeDeletes ?? 0,
        documents: null,
        tripped: false,
      })),
    readRoots: (_, links, { ofEach, inAll }) =>
      connection.run(`expands authors ${links.flat().join(' ')}`, () => ({
        rows: links
          .flatMap(([author], n) =>
            articlesOf(postgres, author ?? null)
              .slice(0, ofEach)
              .map((key): RootRow => [String(n + 1), key]),
          )
          .slice(0, inAll),
        server: postgres.server,
      })),
    castLink: (_, [link]) =>
      connection.run('casts a link', () => {
        if (!/^\d+$/.test(link ?? '')) throw serverError('22P02', 'invalid input syntax for type bigint')
        return { server: postgres.server }
      }),
    readRows: (plan, keys) =>
      connection.run(
        () => `loads ${keys.map(({ key }) => key).join(' ')}`,
        () => ({
          rows: keys.flatMap((key, n) => rowOf(postgres, plan, key, n)),
          server: postgres.server,
        }),
      ),
    makeTenantIndices: () => Promise.reject(new Error('the simulation has no tenants')),
    release: (broken) => connection.release(broken),
  }
}

const RANK = { live: 2, kept: 1, building: 0 } as const

function targetsOf(postgres: MemoryPostgres, document: string, wanted: (alias: string) => boolean) {
  return [...postgres.targets.values()]
    .filter((target) => target.document === document && wanted(target.alias))
    .sort((a, b) => RANK[b.role] - RANK[a.role] || (a.index < b.index ? -1 : 1))
    .map(({ index, alias, uuid, role, releasedAt }) => ({ index, alias, uuid, role, releasedAt }))
}
