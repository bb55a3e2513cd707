import type { Pool } from 'pg'
import { suggest } from '../catalog/suggest.ts'
import { FailedError, UsageError } from '../errors.ts'
import { type InstalledDocument, readDocuments } from '../queue/read-documents.ts'

/** The installed document that a run is requested for. Throws where no daemon would take its run: unknown, paused or detached. */
export async function activeDocument(pool: Pool, schema: string, name: string): Promise<InstalledDocument> {
  const documents = await readDocuments(pool, schema)
  const found = documents.find((document) => document.name === name)
  if (found === undefined) {
    const names = documents.map((document) => document.name)
    throw new UsageError(`no document "${name}" is installed${suggest(name, names)}`, {
      remedy: `Installed: ${names.join(', ') || 'none'}. sluice install adds what the configuration has.`,
    })
  }
  assertActive(found)
  return found
}

/** Throws a FailedError where no daemon would take a run of the document. */
export function assertActive({
  name,
  state,
  reason,
}: Pick<InstalledDocument, 'name' | 'state' | 'reason'>): void {
  const because = reason === null ? '' : ` (${reason})`
  switch (state) {
    case 'active':
      return
    case 'paused':
      throw new FailedError(`it is paused${because}: its runs wait, for marks would not be worked off`, {
        where: name,
        remedy: `Put the cause right, then: sluice resume ${name}`,
      })
    case 'detached':
      throw new FailedError(
        `it is detached${because}: its triggers are off, so its index is out of date and stays so`,
        {
          where: name,
          remedy: 'sluice install puts the triggers back and requests a backfill.',
        },
      )
  }
}
