import { quoteIdentifier } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import { readFormerNames } from '../postgres/identity.ts'
import type { Queryable } from '../postgres/types.ts'
import { type InstalledDocument, readDocuments } from '../queue/read-documents.ts'
import { parseObjectComment } from './names.ts'

/** What is installed at present: read from the catalog, not from our own notes, so that damage is seen. */
export interface Inventory {
  /** False where our schema is missing or was never migrated. */
  readonly schemaExists: boolean
  /** What indices of this database may be signed with besides its present name. */
  readonly formerNames: readonly string[]
  readonly documents: ReadonlyMap<string, InstalledDocument>
  readonly sources: readonly InstalledSource[]
  readonly indices: readonly InstalledIndex[]
  readonly functions: readonly InstalledFunction[]
  readonly views: readonly InstalledView[]
  /** Triggers that call our functions. */
  readonly triggers: readonly InstalledTrigger[]
}

export interface InstalledSource {
  readonly document: string
  readonly source: string
  readonly relation: number
  /** Names of its functions, unquoted. */
  readonly functions: readonly string[]
  readonly fingerprint: string
}

export interface InstalledIndex {
  readonly name: string
  readonly document: string
  readonly alias: string
  readonly uuid: string
  readonly role: 'live' | 'kept' | 'building' | 'retired'
  /** Of the mappings and settings it has (`indexHash`). */
  readonly hash: string
}

interface Commented {
  readonly document: string
  readonly fingerprint: string
  /** Unquoted. */
  readonly name: string
}

export interface InstalledFunction extends Commented {
  /** Quoted, schema-qualified, with argument types as they are named now. */
  readonly signature: string
  /** pg_class.oid of the table whose rows it takes; 0 for a trigger function. */
  readonly relation: number
  /** pg_class.oid of what a parsed body reads. */
  readonly relations: readonly number[]
  /** Text of a body that is not parsed, such as a trigger function's; empty otherwise. */
  readonly body: string
  /** It runs with its owner's rights, and under these settings (`search_path=…`). */
  readonly definer: boolean
  readonly config: readonly string[]
}

export interface InstalledView extends Commented {
  /** pg_class.oid of what it reads: after a swap of tables its text is right and its table is not. */
  readonly relations: readonly number[]
}

export interface InstalledTrigger {
  readonly document: string
  readonly name: string
  readonly relation: number
  readonly table: TableName
  /** Name of the function it calls, unquoted. */
  readonly function: string
  readonly type: number
  readonly oldRows: string | null
  readonly newRows: string | null
  /** False where it, or its copy on a partition, does not fire in an ordinary session. */
  readonly enabled: boolean
  /** It and its copies fire for rows that logical replication brings, too. */
  readonly always: boolean
  /** It fires for some rows or columns only (WHEN, UPDATE OF), which none of ours does. */
  readonly limited: boolean
}

/** Reads everything in one snapshot's worth of small queries. */
export async function readInventory(db: Queryable, schema: string): Promise<Inventory> {
  const { rows } = await db.query('SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = $2', [
    schema,
    'sync_document',
  ])
  if (rows.length === 0) return empty
  const functions = await readFunctions(db, schema)
  return {
    schemaExists: true,
    formerNames: await readFormerNames(db, schema),
    documents: new Map((await readDocuments(db, schema)).map((document) => [document.name, document])),
    sources: await readSources(db, schema),
    indices: await readIndices(db, schema),
    functions,
    views: await readViews(db, schema),
    triggers: await readTriggers(db, schema, functions),
  }
}

const empty: Inventory = {
  schemaExists: false,
  formerNames: [],
  documents: new Map(),
  sources: [],
  indices: [],
  functions: [],
  views: [],
  triggers: [],
}

async function readSources(db: Queryable, schema: string): Promise<InstalledSource[]> {
  const { rows } = await db.query<InstalledSource>(
    `SELECT document, source, relation, fingerprint,
            ARRAY(SELECT (parse_ident(f, false))[1] FROM jsonb_array_elements_text(objects -> 'functions') AS f) AS functions
       FROM ${quoteIdentifier(schema)}.sync_source`,
  )
  return rows
}

async function readIndices(db: Queryable, schema: string): Promise<InstalledIndex[]> {
  const { rows } = await db.query<InstalledIndex>(
    `SELECT name, document, alias, uuid, role, hash FROM ${quoteIdentifier(schema)}.sync_index ORDER BY created_at, name`,
  )
  return rows
}

async function readFunctions(db: Queryable, schema: string): Promise<InstalledFunction[]> {
  const { rows } = await db.query<Omit<InstalledFunction, 'document' | 'fingerprint'> & { comment: string }>(
    `SELECT p.proname AS name, d.description AS comment, p.prosrc AS body, p.prosecdef AS definer,
            coalesce(p.proconfig, '{}') AS config, coalesce(t.typrelid, 0::oid) AS relation,
            ARRAY(SELECT DISTINCT u.refobjid FROM pg_depend u
                   WHERE u.classid = 'pg_proc'::regclass AND u.objid = p.oid
                     AND u.refclassid = 'pg_class'::regclass) AS relations,
            format('%I.%I(%s)', n.nspname, p.proname, (
              SELECT coalesce(string_agg(format('%I.%I', an.nspname, at.typname), ', ' ORDER BY a.n), '')
                FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n)
                JOIN pg_type at ON at.oid = a.type JOIN pg_namespace an ON an.oid = at.typnamespace)) AS signature
       FROM pg_proc p
       JOIN pg_namespace n ON n.oid = p.pronamespace
       JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
       LEFT JOIN pg_type t ON p.pronargs > 0 AND t.oid = p.proargtypes[0]
      WHERE n.nspname = $1
      ORDER BY p.proname`,
    [schema],
  )
  return rows.flatMap(({ comment, ...row }) => {
    const ours = parseObjectComment(comment)
    return ours === null ? [] : [{ ...row, ...ours }]
  })
}

async function readViews(db: Queryable, schema: string): Promise<InstalledView[]> {
  const { rows } = await db.query<{ name: string; comment: string; relations: number[] }>(
    `SELECT c.relname AS name, d.description AS comment,
            ARRAY(SELECT DISTINCT u.refobjid FROM pg_rewrite w
                    JOIN pg_depend u ON u.classid = 'pg_rewrite'::regclass AND u.objid = w.oid
                   WHERE w.ev_class = c.oid AND u.refclassid = 'pg_class'::regclass AND u.refobjid <> c.oid) AS relations
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
      WHERE n.nspname = $1 AND c.relkind = 'v'`,
    [schema],
  )
  return rows.flatMap(({ comment, ...row }) => {
    const ours = parseObjectComment(comment)
    return ours === null ? [] : [{ ...row, ...ours }]
  })
}

/**
 * Found by the functions they call, wherever they are now: a renamed table, a detached partition. Copies on
 * partitions belong to the trigger of their root; one of them disabled means it does not fire there.
 */
async function readTriggers(
  db: Queryable,
  schema: string,
  functions: readonly InstalledFunction[],
): Promise<InstalledTrigger[]> {
  const { rows } = await db.query<
    Omit<InstalledTrigger, 'document' | 'table'> & { schema: string; tablename: string }
  >(
    `WITH RECURSIVE copy (root, oid, enabled) AS (
       SELECT t.oid, t.oid, t.tgenabled
         FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = $1 AND NOT t.tgisinternal AND t.tgparentid = 0
       UNION ALL
       SELECT copy.root, t.oid, t.tgenabled FROM copy JOIN pg_trigger t ON t.tgparentid = copy.oid
     )
     SELECT t.tgname AS name, t.tgrelid AS relation, p.proname AS function, t.tgtype AS type,
            t.tgqual IS NOT NULL OR cardinality(t.tgattr::int2[]) > 0 AS limited,
            t.tgoldtable AS "oldRows", t.tgnewtable AS "newRows", rn.nspname AS schema, r.relname AS tablename,
            (SELECT bool_and(copy.enabled IN ('O', 'A')) FROM copy WHERE copy.root = t.oid) AS enabled,
            (SELECT bool_and(copy.enabled = 'A') FROM copy WHERE copy.root = t.oid) AS always
       FROM pg_trigger t
       JOIN pg_proc p ON p.oid = t.tgfoid
       JOIN pg_class r ON r.oid = t.tgrelid
       JOIN pg_namespace rn ON rn.oid = r.relnamespace
      WHERE t.oid IN (SELECT root FROM copy)
      ORDER BY r.oid, t.tgname`,
    [schema],
  )
  const documentOf = new Map(functions.map((entry) => [entry.name, entry.document]))
  return rows.flatMap(({ schema: tableSchema, tablename, ...row }) => {
    const document = documentOf.get(row.function)
    return document === undefined
      ? []
      : [{ ...row, document, table: { schema: tableSchema, name: tablename } }]
  })
}
