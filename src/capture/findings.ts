/** Something that a migration of the application breaks or changes for a document. */
export interface Finding {
  /** breaks: documents go wrong, or the migration is refused; changes: somebody has to know, or to do something. */
  readonly effect: 'breaks' | 'changes'
  readonly kind: 'refused' | 'lost' | 'table' | 'column' | 'partition' | 'capture' | 'configuration'
  readonly document: string | null
  /** Fields of the document that are concerned, as far as they are known. */
  readonly fields: readonly string[]
  /** Statement that did it, `file:line`; null where it is the whole. */
  readonly where: string | null
  readonly what: string
  readonly remedy: string | null
}

type Told = Omit<Finding, 'document' | 'where' | 'fields'> & { readonly fields?: readonly string[] }

/** A finding about the migration as a whole. */
export function findingOf({ name }: { readonly name: string }, { fields = [], ...rest }: Told): Finding {
  return { document: name, where: null, fields, ...rest }
}

/** A document whose index cannot become what the configuration wants. */
export function reindexFinding({
  document,
  why,
}: {
  readonly document: string
  readonly why: string
}): Finding {
  return {
    effect: 'changes',
    kind: 'configuration',
    document,
    fields: [],
    where: null,
    what: `it needs a reindex: ${why}`,
    remedy: `sluice reindex ${document} builds the new index while searches go on.`,
  }
}
