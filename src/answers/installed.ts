import { suggest } from '../catalog/suggest.ts'
import { UsageError } from '../errors.ts'
import type { Database } from '../postgres/types.ts'
import { type InstalledDocument, readDocuments } from '../queue/read-documents.ts'

/** The installed document of that name, or a UsageError that knows the others. */
export async function installedDocument(
  { pool, schema }: Database,
  name: string,
): Promise<InstalledDocument> {
  const documents = await readDocuments(pool, schema)
  const found = documents.find((document) => document.name === name)
  if (found !== undefined) return found
  const names = documents.map((document) => document.name)
  throw new UsageError(`no document "${name}" is installed${suggest(name, names)}`, {
    remedy:
      names.length === 0
        ? 'None is: sluice install puts the documents of the configuration into effect.'
        : `Installed are: ${names.join(', ')}.`,
  })
}
