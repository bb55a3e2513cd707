/** One thing that `install` or `uninstall` does, to be printed before it is done. */
export interface Step {
  readonly action: 'create' | 'change' | 'remove' | 'request'
  /** Document it belongs to; null for what they share. */
  readonly document: string | null
  /** What is created, changed or removed: `trigger sluice_city_insert on geo.city`. */
  readonly what: string
}
