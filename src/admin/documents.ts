import { installedDocument } from '../answers/installed.ts'
import { UsageError } from '../errors.ts'
import type { InstalledDocument } from '../queue/read-documents.ts'
import { HttpError } from './errors.ts'
import type { Admin } from './types.ts'

/** The installed document that a path names, or a 404 that knows the others. */
export async function namedDocument(admin: Admin, name: string): Promise<InstalledDocument> {
  try {
    return await installedDocument(admin, name)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new HttpError(404, 'not-found', error.message, { remedy: error.remedy })
  }
}
