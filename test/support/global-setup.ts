import type { TestProject } from 'vitest/node'
import { describeError, SluiceError } from '../../src/errors.ts'
import { findOrStartServers } from './servers/index.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
    elasticsearchUrl: string
  }
}

/** One Postgres and one Elasticsearch for the whole run; each test file makes its own database and index prefix. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await findOrStartServers().catch((error: unknown) => {
    // vitest prints the message, and the remedy belongs to it; the stack is no use to who lacks Java.
    throw error instanceof SluiceError ? Object.assign(new Error(describeError(error)), { stack: '' }) : error
  })
  project.provide('postgresUrl', servers.postgresUrl)
  project.provide('elasticsearchUrl', servers.elasticsearchUrl)
  return servers.stop
}
