/** A way in which an application changes its tables, and what tells us of it. */
export interface TriggerCase {
  readonly name: string
  /** In one transaction, which is taken back, unless `committed`. */
  readonly sql: string
  /** Its marks: `city update 1,2`, the keys of each document and operation together. */
  readonly marks: readonly string[]
  /** Major version of Postgres that it came with. */
  readonly since?: number
  /** Statements of their own (`;` and a line break between them), and what undoes them. */
  readonly committed?: { readonly undo: string }
  /** SQLSTATE: Postgres refuses it, for something of ours is in its way. */
  readonly error?: string
  /**
   * What `sluice install --dry-run` and `sluice check` say after it: what they refuse or would request; where they do
   * neither, all their steps. Default: nothing is to be done.
   */
  readonly install?: readonly string[]
  /** What a daemon alarms of by itself: kind of gap and table, or whose sessions are in the replica role. Default: nothing. */
  readonly gaps?: readonly string[]
  /** What `sluice check --migration` says of it: effect, kind and document. */
  readonly check?: readonly string[]
}
