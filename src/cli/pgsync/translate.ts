import { quotedTableText } from '../../catalog/table-name.ts'
import type { Catalog, Table } from '../../catalog/types.ts'
import { indexNameProblem } from '../../config/index-name.ts'
import type { DocumentDefinition } from '../../config/types.ts'
import { mergeMappings } from './mappings.ts'
import { Remarks } from './remarks.ts'
import { type Row, translateRow } from './rows.ts'
import { type PgsyncDocument, unknownKeys } from './schema.ts'

export interface ImportedDocument {
  readonly definition: DocumentDefinition
  /** What of it could not be translated, or is worth knowing. */
  readonly remarks: Remarks
}

export interface Imported {
  readonly documents: readonly ImportedDocument[]
  /** Of documents that are left out. */
  readonly remarks: Remarks
}

/**
 * A PGSync schema as definitions of ours. Pure. What has no counterpart is in the remarks, at its path in the file.
 * @param database the one that the catalog was read from
 */
export function translatePgsync(
  documents: readonly PgsyncDocument[],
  catalog: Catalog,
  database: string,
): Imported {
  const remarks = new Remarks()
  const names = new Set(documents.map((one) => one.database ?? database))
  const indices = new Set<string>()
  const imported: ImportedDocument[] = []
  documents.forEach((document, n) => {
    const at = `[${n}]`
    if (names.size > 1 && document.database !== database) {
      remarks.todo(
        `${at}.database`,
        `is ${document.database ?? 'missing'}, and DATABASE_URL leads to ${database}: the document is left out`,
        'Give each database a configuration of its own: run this again with its DATABASE_URL.',
      )
      return
    }
    imported.push(translateDocument(at, document, catalog, { database, indices }))
  })
  return { documents: imported, remarks }
}

function translateDocument(
  at: string,
  document: PgsyncDocument,
  catalog: Catalog,
  { database, indices }: { readonly database: string; readonly indices: Set<string> },
): ImportedDocument {
  const remarks = new Remarks()
  const [root, ...others] = document.nodes
  // The schema has at least one.
  if (root === undefined) throw new Error(`${at} has no node`)
  if (document.database !== null && document.database !== undefined && document.database !== database) {
    remarks.note(
      `${at}.database`,
      `is ${document.database}; DATABASE_URL names the database, here ${database}`,
    )
  }
  const path = Array.isArray(document.nodes) && others.length > 0 ? `${at}.nodes[0]` : `${at}.nodes`
  others.forEach((_, n) => {
    remarks.todo(
      `${at}.nodes[${n + 1}]`,
      'is a second root, which PGSync ignores',
      'Make it a document of its own.',
    )
  })
  const row = translateRow(path, root, catalog, remarks)
  const extra = extras(at, document, remarks)
  const mappings = mergeMappings(document.mapping ?? {}, row.mappings)
  remarkKey(path, row, remarks)
  return {
    definition: {
      table: quotedTableText(row.name),
      index: indexFor(at, document, database, row, indices, remarks),
      ...idOf(root.primary_key ?? [], row.table),
      ...row.taken,
      ...extra,
      ...(Object.keys(mappings).length === 0 ? {} : { mappings }),
    },
    remarks,
  }
}

/** Stated only where it is not the primary key. */
function idOf(stated: readonly string[], table: Table | undefined): Pick<DocumentDefinition, 'id'> {
  const known = table?.primaryKey ?? []
  const same = stated.length === known.length && stated.every((column, n) => column === known[n])
  return stated.length === 0 || same ? {} : { id: stated }
}

function extras(
  at: string,
  document: PgsyncDocument,
  remarks: Remarks,
): Pick<DocumentDefinition, 'settings' | 'pipeline' | 'routing'> {
  const { setting, pipeline, routing, plugins } = document
  if (plugins !== null && plugins !== undefined && plugins.length > 0) {
    remarks.todo(
      `${at}.plugins`,
      `was not translated: ${plugins.join(', ')} is Python`,
      'Write it as a function: transform: (document) => ({ ...document }), and state what it adds in "mappings".',
    )
  }
  for (const key of unknownKeys('document', document)) {
    remarks.todo(`${at}.${key}`, 'was not translated', 'See docs/documents.md for what stands for it.')
  }
  return {
    ...(routing === null || routing === undefined ? {} : { routing }),
    ...(pipeline === null || pipeline === undefined ? {} : { pipeline }),
    ...(setting === null || setting === undefined ? {} : { settings: setting }),
  }
}

/** PGSync joins the parts of a key with "|". */
function remarkKey(at: string, { table }: Row, remarks: Remarks): void {
  const key = table?.primaryKey ?? []
  if (key.length < 2) return
  remarks.note(at, `the _id is ${key.join(':')}; PGSync joined it with "|"`)
}

/** The alias: PGSync's index, or its database; a name that Elasticsearch takes, and that no other document has. */
function indexFor(
  at: string,
  document: PgsyncDocument,
  database: string,
  row: Row,
  taken: Set<string>,
  remarks: Remarks,
): string {
  const stated = document.index ?? document.database ?? database
  let index = stated
  if (indexNameProblem(index) !== null) {
    index =
      index
        .toLowerCase()
        .replaceAll(/[^a-z0-9_-]+/g, '_')
        .replace(/^[-_]+/, '') || row.name.name.toLowerCase()
    remarks.todo(
      `${at}.index`,
      `"${stated}" ${indexNameProblem(stated)}`,
      `Search "${index}", or choose another.`,
    )
  }
  const unique = taken.has(index) ? `${index}_${row.name.name.toLowerCase()}` : index
  if (unique !== index) {
    remarks.todo(
      `${at}.index`,
      `"${index}" is another document's, and here each has an index of its own`,
      `Search "${index},${unique}" to search both.`,
    )
  }
  taken.add(unique)
  return unique
}
