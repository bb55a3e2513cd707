/**
 * The first state from which no finished one can be reached, or null. States are numbers from 0, in the order in which they
 * were found; `from[n]` → `to[n]` is a transition.
 */
export function firstStuck(
  states: number,
  finished: readonly number[],
  { from, to }: { readonly from: readonly number[]; readonly to: readonly number[] },
): number | null {
  // Transitions sorted by where they lead: those to a state are a stretch of `sources`.
  const ends = new Uint32Array(states + 1)
  for (const target of to) ends[target + 1] = (ends[target + 1] ?? 0) + 1
  for (let n = 1; n <= states; n++) ends[n] = (ends[n] ?? 0) + (ends[n - 1] ?? 0)
  const next = ends.slice()
  const sources = new Uint32Array(to.length)
  for (const [n, target] of to.entries()) {
    const place = next[target] ?? 0
    sources[place] = from[n] ?? 0
    next[target] = place + 1
  }

  const reaches = new Uint8Array(states)
  const open = [...finished]
  for (const state of finished) reaches[state] = 1
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (let n = ends[state] ?? 0; n < (ends[state + 1] ?? 0); n++) {
      const source = sources[n] ?? 0
      if (reaches[source] === 1) continue
      reaches[source] = 1
      open.push(source)
    }
  }
  const stuck = reaches.indexOf(0)
  return stuck < 0 ? null : stuck
}
