import type { Target } from './types.ts'

/**
 * `target` of a mark that is for the indices which a reindex builds, whichever they are: where each tenant has an index, the
 * key says which one. No index can have this name. Parked keys and failures name their index.
 */
export const BUILDING = '*building'

/** Whether a mark with this target is for that index, if its key belongs to the index' alias. */
export function isFor(target: string | null, { index, role }: Pick<Target, 'index' | 'role'>): boolean {
  return target === null || target === index || (target === BUILDING && role === 'building')
}
