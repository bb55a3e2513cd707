import { mkdtempSync } from 'node:fs'
import { cp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ElasticsearchOptions, elasticsearchHome, startElasticsearch } from './elasticsearch.ts'
import type { Server } from './server.ts'

export interface SecuredOptions extends ElasticsearchOptions {
  /** Names and passwords. */
  readonly users: Readonly<Record<string, string>>
  /** `role:user,user`, a line each. */
  readonly usersRoles: string
  /** roles.yml. */
  readonly roles?: string
  /** Role of whoever shows no credentials: so that the server can be seen to be up, at least. */
  readonly anonymousRole: string
}

export interface SecuredServer extends Server {
  /** Other users from now on; it takes the server a second to notice. */
  setUsers(users: Readonly<Record<string, string>>): Promise<void>
  /** Other roles of the users, likewise. */
  setUsersRoles(usersRoles: string): Promise<void>
}

/**
 * Starts an Elasticsearch that wants to know who we are. Users come from files: this build cannot create its index of
 * users and API keys (an analyser is missing).
 */
export async function startSecuredElasticsearch({
  users,
  usersRoles,
  roles = '',
  anonymousRole,
  settings,
  ...options
}: SecuredOptions): Promise<SecuredServer> {
  const template = mkdtempSync(join(tmpdir(), 'sluice-users-'))
  try {
    await cp(join(await elasticsearchHome(), 'config'), template, { recursive: true })
    await writeFile(join(template, 'users'), usersFile(users))
    await writeFile(join(template, 'users_roles'), usersRoles)
    await writeFile(join(template, 'roles.yml'), roles)
    const server = await startElasticsearch({
      heap: '512m',
      brief: true,
      ...options,
      template,
      settings: {
        'xpack.security.enabled': 'true',
        'xpack.security.authc.anonymous.username': 'anonymous',
        'xpack.security.authc.anonymous.roles': anonymousRole,
        'resource.reload.interval.high': '1s',
        ...settings,
      },
    })
    /** In one go: it must not read half of it. */
    const replace = async (name: string, text: string) => {
      const file = join(server.directory, 'config', name)
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
    }
    return Object.assign(server, {
      setUsers: (others: SecuredOptions['users']) => replace('users', usersFile(others)),
      setUsersRoles: (others: string) => replace('users_roles', others),
    })
  } finally {
    await rm(template, { recursive: true })
  }
}

function usersFile(users: SecuredOptions['users']): string {
  return Object.entries(users)
    .map(([name, password]) => `${name}:${password}\n`)
    .join('')
}
