import type pg from 'pg'
import { planDocuments } from '../../capture/plan-documents.ts'
import { readCatalog } from '../../catalog/read-catalog.ts'
import type { Catalog } from '../../catalog/types.ts'
import { checkConfig } from '../../config/check.ts'
import { readJson } from '../../config/import.ts'
import { refuse } from '../../config/problems.ts'
import type { DocumentDefinition } from '../../config/types.ts'
import { ConfigError } from '../../errors.ts'
import { inTransaction } from '../../postgres/transaction.ts'
import { documentName, type Proposal, type ProposedDocument } from '../proposal.ts'
import type { Remark } from './remarks.ts'
import { parsePgsync } from './schema.ts'
import { translatePgsync } from './translate.ts'

export interface ImportedProposal extends Proposal {
  readonly remarks: readonly Remark[]
}

/**
 * Proposes what a PGSync schema file says. Each document is planned, so that what our configuration refuses is a remark
 * as well.
 * @param connect called when the file has been read: one that is refused is, whatever the database says
 * @param file path of the schema file
 * @param schema ours
 * @throws ConfigError for a file that PGSync would refuse, too
 */
export async function importPgsync(
  connect: () => Promise<pg.Pool>,
  file: string,
  schema: string,
): Promise<ImportedProposal> {
  const { documents, problems } = parsePgsync(await readJson(file))
  refuse(problems, file)
  if (documents === null) throw new Error('refused, or there are documents')
  return inTransaction(await connect(), async (client) => {
    const catalog = await readCatalog(client)
    const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name')
    const imported = translatePgsync(documents, catalog, rows[0]?.name ?? '')
    if (imported.documents.length === 0) {
      throw new ConfigError(`none of its documents is of this database, ${rows[0]?.name}`, {
        where: file,
        remedy: 'Name that of the file in DATABASE_URL.',
      })
    }
    const taken = new Set<string>()
    const proposed: ProposedDocument[] = []
    const remarks: Remark[] = [...imported.remarks.all]
    for (const { definition, remarks: own } of imported.documents) {
      const name = freeName(definition.index, taken)
      const all = [...own.all, ...(await planningRemarks(client, { schema, catalog, name, definition }))]
      proposed.push({ name, definition, notes: all.map(remarkText) })
      remarks.push(...all)
    }
    return { documents: proposed, skipped: [], notes: imported.remarks.all.map(remarkText), remarks }
  })
}

/** One line. */
function remarkText({ where, what, remedy }: Remark): string {
  return `${where}: ${what}${remedy === null ? '' : `. ${remedy}`}`
}

function freeName(index: string, taken: Set<string>): string {
  const wanted = documentName(index)
  let name = wanted
  for (let n = 2; taken.has(name); n++) name = `${wanted.slice(0, 36)}_${n}`
  taken.add(name)
  return name
}

interface Planned {
  readonly schema: string
  readonly catalog: Catalog
  readonly name: string
  readonly definition: DocumentDefinition
}

/** What install would refuse, or warn of. */
async function planningRemarks(
  client: pg.ClientBase,
  { schema, catalog, name, definition }: Planned,
): Promise<readonly Remark[]> {
  const { problems } = checkConfig({ documents: { [name]: definition } })
  if (problems.length > 0) {
    return problems.map(({ where, what, remedy }) => ({ where, what, remedy: remedy ?? 'Change it.' }))
  }
  try {
    const [plan] = await planDocuments(client, schema, catalog, new Map([[name, definition]]))
    return (plan?.warnings ?? []).map((what) => ({ where: `documents.${name}`, what, remedy: null }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { where = `documents.${name}`, remedy = 'Change it; sluice check says whether all is well.' } =
      error
    const prefix = `${where}: `
    const what = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
    return [{ where, what, remedy }]
  }
}
